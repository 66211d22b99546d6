"""`veille init`: a few questions, then a folder that `veille run` works with."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from veille.cli.ask import Asker, read_secret
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, InputError

if TYPE_CHECKING:
    from veille.app.starter import Answers, Mail, Slack

FILE = click.Path(path_type=Path, dir_okay=False)
NAME_LENGTH = 200
"""Several times the longest name of a commune (45), well within a subject line (RFC 5322: 998)."""
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}")
_CHANNEL_NAME = re.compile(r"#[\w-]{1,80}")


@click.command("init")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=".", show_default=True)
@click.option("--name", help="the institution: Ville de Saint-Aubin")
@click.option("--query", help="what to listen for (default: the place in the name)")
@click.option(
    "--territory", help="INSEE codes of communes or département numbers, separated by spaces"
)
@click.option("--feed", "feeds", multiple=True, help="address of an RSS, Atom or JSON feed; repeat")
@click.option("--slack-channel", help="id of the channel: C0123456789")
@click.option("--slack-token", help="bot token; visible in `ps`: prefer --slack-token-file")
@click.option("--slack-token-file", type=FILE, help="file that holds the bot token")
@click.option("--mail-host", help="mail relay")
@click.option("--mail-port", type=click.IntRange(1, 65535), help="its port (default: 587)")
@click.option("--mail-tls", type=click.Choice(["starttls", "tls", "none"]))
@click.option("--mail-sender", help="From address")
@click.option("--mail-to", "mail_to", multiple=True, help="recipient; repeat")
@click.option("--mail-user", help="login at the relay, if it asks for one")
@click.option("--mail-password-file", type=FILE, help="file that holds its password")
@click.option(
    "--allow-private/--no-allow-private", default=None, help="feeds and relay may be private"
)
@click.option("--admin", help="first administrator (default: admin)")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="of the web interface")
@click.option("--public-url", help="what people type (default: http:// and --listen)")
@click.option("--language", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
@click.option("--no-input", is_flag=True, help="ask nothing: options and defaults only")
def command(folder: Path, no_input: bool, **given: object) -> None:
    """Make a new installation: config.toml, secrets.toml, rules and the first administrator.

    Nothing is overwritten; all is written, or nothing. What the options do not say is asked,
    secrets without echo.
    """
    from veille.app.init import create

    answers = _answers(Asker(is_silent=no_input), given)
    password = asyncio.run(create(folder, answers, now=utc_now()))
    _tell(folder, answers, password)


def _answers(asker: Asker, given: dict[str, object]) -> Answers:
    from veille.app.starter import Answers, suggested_query
    from veille.domain.query import parse_query
    from veille.wording.catalogue import catalogue

    language = str(given["language"])
    say = catalogue(language)
    if not asker.is_silent:
        click.echo(say("start.init.hello"), err=True)
    name = asker.text(_str(given["name"]), say("start.init.name"), flag="--name", check=_named)
    query = asker.text(
        _str(given["query"]),
        say("start.init.query"),
        flag="--query",
        default=suggested_query(name),
        check=parse_query,
    )
    territory = asker.text(
        _str(given["territory"]),
        say("start.init.territory"),
        flag="--territory",
        default="",
        check=_places,
    )
    feeds = _feeds(asker, given, say("start.init.feed"))
    slack = _slack(asker, given)
    mail = _mail(asker, given)
    is_private = _bool(given["allow_private"])
    if feeds or mail:
        is_private = asker.yes(is_private, say("start.init.private"))
    admin = asker.text(
        _str(given["admin"]), say("start.init.admin"), flag="--admin", default="admin", check=_named
    )
    listen, public_url = _web(given)
    return Answers(
        name=name,
        query=query,
        territory=tuple(territory.split()),
        admin=admin,
        language=language,
        feeds=feeds,
        allow_private=bool(is_private),
        slack=slack,
        mail=mail,
        listen=listen,
        public_url=public_url,
    )


def _places(territory: str) -> None:
    import msgspec

    from veille.config import WatchSettings
    from veille.wording.mistakes import explain

    try:
        msgspec.convert({"id": "mairie", "territory": territory.split()}, WatchSettings)
    except msgspec.ValidationError as error:
        raise InputError(explain(str(error), WatchSettings)) from error


def _web(given: dict[str, object]) -> tuple[str, str]:
    import msgspec

    from veille.web.settings import WebSettings
    from veille.wording.mistakes import explain

    listen = str(given["listen"])
    public_url = _str(given["public_url"]) or f"http://{listen}"
    for key, value in (("listen", listen), ("public_url", public_url)):
        try:
            msgspec.convert({key: value}, WebSettings)
        except msgspec.ValidationError as error:
            told = explain(str(error), WebSettings).removeprefix(f"{key}: ")
            raise ConfigError(f'--{key.replace("_", "-")} "{value}": {told}') from error
    return listen, public_url


def _feeds(asker: Asker, given: dict[str, object], question: str) -> tuple[str, ...]:
    from veille.collectors.base import FeedSource

    def check(url: str) -> None:
        if url:
            FeedSource(id="presse", url=url)

    told = given["feeds"]
    if asker.is_silent or told:
        urls = told if isinstance(told, tuple) else ()
        return tuple(asker.text(url, question, flag="--feed", check=check) for url in urls)
    found: list[str] = []
    while url := asker.text(None, question, flag="--feed", default="", check=check):
        found.append(url)
    return tuple(dict.fromkeys(found))


def _slack(asker: Asker, given: dict[str, object]) -> Slack | None:
    from veille.app.starter import Slack
    from veille.wording.catalogue import catalogue

    say = catalogue(str(given["language"]))
    token = _secret(given, "slack_token") or _str(given["slack_token"])
    is_wanted = token is not None
    channel = asker.text(
        _str(given["slack_channel"]),
        say("start.init.channel"),
        flag="--slack-channel",
        default=None if is_wanted else "",
        check=_channel,
    )
    if not channel:
        return None
    if not _CHANNEL_ID.fullmatch(channel):
        click.echo(say("start.init.channel_name", channel=channel), err=True)
    flag = "--slack-token-file"
    told = asker.text(token, say("start.init.token"), flag=flag, is_hidden=True, check=_token)
    return Slack(channel=channel, token=told)


def _mail(asker: Asker, given: dict[str, object]) -> Mail | None:
    from veille.app.starter import Mail
    from veille.wording.catalogue import catalogue

    say = catalogue(str(given["language"]))
    is_wanted = any(given[key] for key in ("mail_sender", "mail_to", "mail_user"))
    host = asker.text(
        _str(given["mail_host"]),
        say("start.init.host"),
        flag="--mail-host",
        default=None if is_wanted else "",
        check=lambda host: _mailbox(host=host) if host else None,
    )
    if not host:
        return None
    tls = asker.text(_str(given["mail_tls"]), say("start.init.tls"), flag="--mail-tls",
                     default="starttls")  # fmt: skip
    port = asker.text(_str(given["mail_port"]), say("start.init.port"), flag="--mail-port",
                      default="465" if tls == "tls" else "587", check=int)  # fmt: skip
    sender = asker.text(_str(given["mail_sender"]), say("start.init.sender"), flag="--mail-sender",
                        check=lambda sender: _mailbox(sender=sender))  # fmt: skip
    told = given["mail_to"] or None
    people = " ".join(told) if isinstance(told, tuple) else None
    to = asker.text(people, say("start.init.to"), flag="--mail-to",
                    check=lambda to: _mailbox(to=_people(to)))  # fmt: skip
    user = asker.text(_str(given["mail_user"]), say("start.init.user"), flag="--mail-user",
                      default="", check=lambda user: _login(user, tls))  # fmt: skip
    password = None
    if user:
        password = asker.text(
            _secret(given, "mail_password"),
            say("start.init.password"),
            flag="--mail-password-file",
            is_hidden=True,
        )
    return Mail(
        host=host,
        port=int(port),
        tls=tls,
        sender=sender,
        to=_people(to),
        user=user or None,
        password=password,
    )


def _people(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _login(user: str, tls: str) -> None:
    from veille.app.starter import SMTP_PASSWORD

    if user:
        _mailbox(user=user, password=SMTP_PASSWORD, tls=tls)


def _mailbox(**given: Any) -> None:
    """Do nothing if a mail receiver may have these settings; ValueError says why not."""
    from veille.notifiers.settings import EmailReceiver

    fine = {"host": "mairie.example", "sender": "a@mairie.example", "to": ("a@mairie.example",)}
    EmailReceiver(id="courriel", **(fine | given))


def _secret(given: dict[str, object], name: str) -> str | None:
    path = given[f"{name}_file"]
    if path is None:
        return None
    return read_secret(Path(str(path)), flag=f"--{name.replace('_', '-')}-file")


def _named(text: str) -> None:
    if not text.strip():
        raise ConfigError("is empty: write something")
    if len(text) > NAME_LENGTH or not text.isprintable():
        raise ConfigError(f"too long, or not one line: write {NAME_LENGTH} characters at most")


def _channel(text: str) -> None:
    if text and not (_CHANNEL_ID.fullmatch(text) or _CHANNEL_NAME.fullmatch(text)):
        raise ConfigError(f'"{text}" is no id of a channel: write C0123456789, or #name')


def _token(text: str) -> None:
    if not text.startswith(("xoxb-", "xoxe.xoxb-")):  # Slack's bot tokens, rotated ones too
        raise ConfigError("is no bot token: copy the one that begins with xoxb-")


def _str(value: object) -> str | None:
    return None if value is None else str(value)


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _tell(folder: Path, answers: Answers, password: str) -> None:
    from veille.app.starter import feed_ids
    from veille.wording.catalogue import catalogue

    say = catalogue(answers.language)
    click.echo(say("start.init.done", folder=folder.resolve()))
    click.echo(say("start.init.once", admin=answers.admin, password=password))
    click.echo(say("start.init.next"))
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    trial = feed_ids(1)[0] if answers.feeds else say("start.init.any_feed")
    for line in ("veille check", f"veille try {trial}", "veille run"):
        click.echo(f"  {line}")
