"""Block Kit for a message: every text that may be hostile stands where Slack parses nothing."""

from __future__ import annotations

from collections.abc import Sequence

from veille.domain.notification import Document, Notification
from veille.notifiers.message import Message
from veille.notifiers.slack_buttons import Json, plain

_HEADER_MAX = 150  # Block Kit reference: header block, text
_TEXT_MAX = 3_000  # the same: section block, text; kept for rich text, which states none
_PAGE_MAX = 12_000  # the blocks of one message hold some 13,000 characters (msg_blocks_too_long)
_FALLBACK_MAX = 3_000  # chat.postMessage truncates text over 40,000; a phone shows far less


def card(message: Message, buttons: Sequence[Json]) -> list[Json]:
    """Return the blocks of an incident's first message: at most three."""
    elements = _notice(message)
    elements.append(_section(_text(message.counts)))
    elements += [_quote(quote.text) for quote in message.quotes]
    elements += [
        _section(_text(line.label, bold=True), _text(f" {line.text}")) for line in message.lines
    ]
    elements.append(_section(_text(message.state, bold=True)))
    blocks: list[Json] = [
        {"type": "header", "text": plain(message.headline, _HEADER_MAX)},
        {"type": "rich_text", "elements": elements},
    ]
    if buttons:
        blocks.append({"type": "actions", "elements": list(buttons)})
    return blocks


def thread_line(message: Message) -> list[Json]:
    """Return the block of a line in the thread: what changed."""
    elements = [*_notice(message), _section(_text(message.news))]
    return [{"type": "rich_text", "elements": elements}]


def page(document: Document) -> list[Json]:
    """Return the blocks of a document: its subject, and as much of its text as Slack takes."""
    text = document.text.strip()
    if len(text) > _PAGE_MAX:
        text = f"{text[: _PAGE_MAX - 1]}…"
    pieces = [text[at : at + _TEXT_MAX] for at in range(0, len(text), _TEXT_MAX)]
    sections = [_section(_text(f"{document.subject}\n\n", bold=True), *map(_text, pieces))]
    return [{"type": "rich_text", "elements": sections}]


def fallback(*lines: str) -> str:
    """Return the text of notifications and screen readers, where nothing pings or links.

    Slack parses `<…>` there: `&`, `<`, `>` are escaped as its reference on formatting says.
    """
    text = "\n".join(lines)[:_FALLBACK_MAX]
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def metadata(notification: Notification) -> Json:
    """Return the message metadata that carries the idempotency key."""
    payload = {"key": notification.key, "incident": notification.facts.incident}
    return {"event_type": "veille", "event_payload": payload}


def _notice(message: Message) -> list[Json]:
    """Return the line that calls people by their member ids: from settings, never from a text."""
    called: list[Json] = []
    for user in message.mentions:
        called += [{"type": "user", "user_id": user}, _text(" ")]
    said = [_text(message.notice, bold=True)] if message.notice else []
    elements: list[Json] = [*called, *said]
    return [{"type": "rich_text_section", "elements": elements}] if elements else []


def _text(text: str, *, bold: bool = False) -> Json:
    element: dict[str, object] = {"type": "text", "text": text[:_TEXT_MAX]}
    if bold:
        element["style"] = {"bold": True}
    return element


def _section(*elements: Json) -> Json:
    return {"type": "rich_text_section", "elements": _all(elements)}


def _quote(text: str) -> Json:
    return {"type": "rich_text_quote", "elements": _all([_text(text)])}


def _all(elements: Sequence[Json]) -> list[Json]:
    return [element for element in elements if element["text"]]  # Slack refuses empty texts
