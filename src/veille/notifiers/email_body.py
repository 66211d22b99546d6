"""A mail as it travels: headers that cannot be injected into, a text part and an HTML part."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from veille.domain.notification import Document, Notification, NotificationKind
from veille.notifiers.message import Message
from veille.notifiers.settings import EmailReceiver
from veille.wording.format import one_line, visible

_KEY = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", re.ASCII)
_KEY_MAX = 60
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,250}>", re.ASCII)  # printable, no space, no brackets
# These are sent because something changed: it comes first. Elsewhere who has it comes last.
_NEWS_FIRST = frozenset(
    {
        NotificationKind.REPEATED,
        NotificationKind.ACKNOWLEDGED,
        NotificationKind.ASSIGNED,
        NotificationKind.RESOLVED,
        NotificationKind.REOPENED,
        NotificationKind.MERGED,
    }
)


def write(
    notification: Notification,
    message: Message,
    *,
    settings: EmailReceiver,
    first: str | None,
    now: datetime,
) -> EmailMessage:
    """Return the mail of a message, the same bytes for the same arguments.

    `first` is the Message-ID of the incident's first mail, None when this is the first.
    """
    mail = _envelope(message.subject, f"veille · {message.institution}", settings, now)
    mail["Message-ID"] = message_id(notification, settings)
    if first is not None and _MESSAGE_ID.fullmatch(first):
        mail["In-Reply-To"] = first
        mail["References"] = first
    is_news_first = notification.kind in _NEWS_FIRST
    _fill(
        mail,
        text(message, is_news_first=is_news_first),
        html(message, is_news_first=is_news_first),
        message.language,
    )
    return mail


def write_document(
    document: Document, *, settings: EmailReceiver, language: str, now: datetime
) -> EmailMessage:
    """Return the mail of a document, its subject on one line; one Message-ID for every try."""
    subject = visible(one_line(document.subject))
    mail = _envelope(subject, "veille", settings, now)
    name = document.key if _is_plain(document.key) else "document"
    digest = _digest(f"{document.key}\0{settings.id}")
    mail["Message-ID"] = f"<{name}.{digest}@{settings.sender.rpartition('@')[2]}>"
    _fill(mail, document.text, document.html, language)
    return mail


def _envelope(subject: str, name: str, settings: EmailReceiver, now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject  # refuses what would begin another header
    if not subject.isascii():
        # of two encoded words side by side the policy's own folding loses the space (gh-92081)
        folded = Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")
        del mail["Subject"]
        mail.set_raw("Subject", folded)
    mail["From"] = Address(display_name=name, addr_spec=settings.sender)
    mail["To"] = [Address(addr_spec=address) for address in settings.to]
    mail["Date"] = now
    return mail


def _fill(mail: EmailMessage, plain: str, rich: str, language: str) -> None:
    # RFC 3834: no out-of-office answers; the second is what Exchange listens to
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(plain, cte="quoted-printable")
    mail.add_alternative(rich, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = language
    mail.set_boundary(f"=_{_digest(str(mail['Message-ID']))}")


def message_id(notification: Notification, settings: EmailReceiver) -> str:
    """Return `<I12-opened-….…@domain>`: the same for every try of one notification.

    The digest tells apart receivers, whose mails may differ, and incidents of an earlier
    installation that had the same number: servers drop a Message-ID they have seen.
    """
    key, facts = notification.key, notification.facts
    digest = _digest(f"{key}\0{facts.opened_at.timestamp()}\0{settings.id}")
    name = key if _is_plain(key) else f"I{facts.incident}-{notification.kind}"
    return f"<{name}.{digest}@{settings.sender.rpartition('@')[2]}>"


def text(message: Message, *, is_news_first: bool) -> str:
    """Return the plain text part: the lines of the message, quotes as `> …`."""
    quotes = "\n".join(f"> {quote.text}" for quote in message.quotes)
    lines = "\n".join(f"{line.label} {line.text}" for line in message.lines)
    top, last = (message.news, "") if is_news_first else ("", message.state)
    links = "\n".join(link for link in (message.take_text, message.link_text) if link)
    parts = [message.headline, message.notice, top, message.counts, quotes, lines, last, links]
    return "\n\n".join(part for part in parts if part) + f"\n\n-- \n{message.footer}\n"


def html(message: Message, *, is_news_first: bool) -> str:
    """Return the HTML part: no remote content, no script, every text escaped."""
    return _template().render(message=message, is_news_first=is_news_first)


def _is_plain(key: str) -> bool:
    return len(key) <= _KEY_MAX and _KEY.fullmatch(key) is not None


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("veille.notifiers"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
