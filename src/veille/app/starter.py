"""The first files of an installation, as text: config.toml, secrets.toml, .gitignore."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import tomlkit

from veille.domain.errors import ConfigError
from veille.domain.text import printable
from veille.net.webpush import new_key
from veille.notifiers.settings import PushSettings
from veille.wording.catalogue import Catalogue, catalogue

KEY_BYTES = 32
"""Of the pseudonym key and of a webhook secret (Standard Webhooks: 24 to 64)."""
PSEUDONYM_KEY, SLACK_TOKEN, SMTP_PASSWORD = "PSEUDONYM_KEY", "SLACK_TOKEN", "SMTP_PASSWORD"
PUSH_KEY = PushSettings().key
WEBHOOK_SECRET = "WEBHOOK_FORMULAIRE"  # noqa: S105 a name
IGNORED = "secrets.toml\ndata/\n"
_OFFICE = re.compile(
    r"^(?i:la |le |l['’])?(?i:ville|mairie|commune|métropole|département|région)"
    r" (?:de la |de l['’]|des |de |du |d['’])"  # capitals belong to the place: L'Isle
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """A Slack channel and the bot token that may write there."""

    channel: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A relay and whom it brings mail to; `user` and `password` go together."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    tls: str = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `veille init` asked. `allow_private`: feeds and mail may be on a private network."""

    name: str
    query: str
    admin: str
    territory: tuple[str, ...] = ()
    language: str = "fr"
    feeds: tuple[str, ...] = ()
    allow_private: bool = False
    slack: Slack | None = None
    mail: Mail | None = None
    listen: str = "127.0.0.1:8080"
    public_url: str = "http://127.0.0.1:8080"


def suggested_query(name: str) -> str:
    """Return the query that fits an institution: `"Saint-Aubin"` for Ville de Saint-Aubin."""
    place = _OFFICE.sub("", name.strip()).replace('"', " ").strip()
    return f'"{place}"' if any(map(str.isalnum, place)) else ""


def texts(answers: Answers) -> dict[str, str]:
    """Return the content of each file by name; each call makes new keys."""
    return {
        ".gitignore": IGNORED,
        "secrets.toml": "\n".join(_secrets(answers)) + "\n",
        "config.toml": "\n".join(_config(answers)),
    }


def toml_value(value: object) -> str:
    """Return a value as TOML writes it, quotes, backslashes and line ends escaped.

    ConfigError for a lone surrogate: half a character of a terminal in another encoding.
    """
    for text in value if isinstance(value, tuple | list) else (value,):
        if isinstance(text, str) and printable(text).count("\ufffd") != text.count("\ufffd"):
            raise ConfigError("a value holds control characters or is not UTF-8: type it again")
    return tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()


def toml_table(header: str, values: Mapping[str, object]) -> str:
    """Return a table, one key a line."""
    lines = [header, *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def webhook_secret() -> str:
    """Return a new secret as Standard Webhooks writes them: `whsec_` and base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _secrets(answers: Answers) -> Iterator[str]:
    say = catalogue(answers.language)
    yield _comment(say("start.config.secrets"))
    yield f"{PSEUDONYM_KEY} = {toml_value(secrets.token_hex(KEY_BYTES))}"
    yield f"{WEBHOOK_SECRET} = {toml_value(webhook_secret())}"
    yield f"{PUSH_KEY} = {toml_value(new_key())}"
    if answers.slack:
        yield f"{SLACK_TOKEN} = {toml_value(answers.slack.token)}"
    if answers.mail and answers.mail.password:
        yield f"{SMTP_PASSWORD} = {toml_value(answers.mail.password)}"


def _config(answers: Answers) -> Iterator[str]:
    say = catalogue(answers.language)
    yield _comment(say("start.config.head")) + "\n"
    yield toml_table(
        "[veille]",
        {
            "name": answers.name,
            "timezone": "Europe/Paris",
            "language": answers.language,
            "data_dir": "data",
            "secrets": "secrets.toml",
        },
    )
    yield _comment(say("start.config.watch"))
    place = {"territory": answers.territory} if answers.territory else {}
    yield toml_table("[[watch]]", {"id": "mairie", "query": answers.query, **place})
    yield from _sources(answers, say)
    yield from _receivers(answers, say)
    yield _comment(say("start.config.route"))
    yield toml_table("[route]", {"linger": "2h"})
    yield _comment(say("start.config.rules"))
    yield toml_table("[rules]", {"directory": "rules"})
    yield _comment(say("start.config.web"))
    yield toml_table("[web]", {"listen": answers.listen, "public_url": answers.public_url})


def _sources(answers: Answers, say: Catalogue) -> Iterator[str]:
    yield _comment(say("start.config.source"))
    private = {"allow_private": True} if answers.allow_private else {}
    for id_, url in zip(feed_ids(len(answers.feeds)), answers.feeds, strict=True):
        yield toml_table("[[source]]", {"id": id_, "kind": "rss", "url": url, **private})
    if not answers.feeds:
        yield _comment(toml_table("[[source]]", _EXAMPLE_FEED)) + "\n"
    yield _comment(toml_table("[[source]]", _EXAMPLE_FORM)) + "\n"


def feed_ids(count: int) -> list[str]:
    """Return the ids of so many feeds: presse, presse-2…"""
    return [f"presse-{number}" if number > 1 else "presse" for number in range(1, count + 1)]


def _receivers(answers: Answers, say: Catalogue) -> Iterator[str]:
    yield _comment(say("start.config.receiver"))
    private = {"allow_private": True} if answers.allow_private else {}
    slack, mail = answers.slack, answers.mail
    if slack:
        channel = {"token": SLACK_TOKEN, "channel": slack.channel}
        yield toml_table("[[receiver]]", {"id": "astreinte", "kind": "slack", **channel})
    else:
        yield _comment(toml_table("[[receiver]]", _EXAMPLE_SLACK)) + "\n"
    if mail:
        login = {"user": mail.user, "password": SMTP_PASSWORD} if mail.user else {}
        relay = {"host": mail.host, "port": mail.port, "tls": mail.tls, **login, **private}
        people = {"sender": mail.sender, "to": mail.to}
        yield toml_table("[[receiver]]", {"id": "courriel", "kind": "email", **relay, **people})
    else:
        yield _comment(toml_table("[[receiver]]", _EXAMPLE_MAIL)) + "\n"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.strip().splitlines())


_EXAMPLE_FEED = {"id": "presse", "kind": "rss", "url": "https://presse.example/flux.xml"}
_EXAMPLE_FORM = {"id": "formulaire", "kind": "webhook", "secret": WEBHOOK_SECRET, "trusted": True}
_EXAMPLE_SLACK = {
    "id": "astreinte",
    "kind": "slack",
    "token": SLACK_TOKEN,
    "channel": "C0123456789",
}
_EXAMPLE_MAIL = {
    "id": "courriel",
    "kind": "email",
    "host": "smtp.mairie.example",
    "sender": "veille@mairie.example",
    "to": ["astreinte@mairie.example"],
}
