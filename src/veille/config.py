"""config.toml: read, checked, and turned into the settings of each component."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from veille.alerts.clock_settings import ClockSettings, named
from veille.alerts.muting import Muting
from veille.alerts.oncall_names import uses
from veille.alerts.oncall_settings import EscalationSettings, PersonSettings, ScheduleSettings
from veille.alerts.quiet import INHIBIT, CalendarSettings, InhibitSettings
from veille.alerts.settings import RouteSettings, nodes, placed
from veille.collectors.base import MqttSource
from veille.collectors.settings import KINDS, SourceSettings
from veille.domain.address import is_address
from veille.domain.alert import Severity
from veille.domain.calendar import Region, region_of
from veille.domain.durations import parse_duration
from veille.domain.errors import ConfigError, InputError
from veille.domain.query import parse_query
from veille.domain.secrets import Secrets
from veille.domain.watch import Watch
from veille.nlp.settings import ModelSettings
from veille.notifiers.settings import (
    MqttReceiver,
    PushReceiver,
    PushSettings,
    ReceiverSettings,
    fallback_problems,
)
from veille.privacy.settings import PrivacySettings
from veille.reports.settings import ReportsSettings
from veille.rules.settings import RulesSettings
from veille.web.oidc_settings import OidcSettings
from veille.web.settings import SlackSettings, WebSettings
from veille.wording.catalogue import LANGUAGES
from veille.wording.mistakes import explain
from veille.wording.mistakes import unknown_name as unknown_name  # for whoever reads settings

SHORTEST_HEARTBEAT = timedelta(seconds=10)
SEARCHED = (Path("config.toml"), Path("/etc/veille/config.toml"))
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_PORT, _TLS_PORT = 1883, 8883  # of MQTT: IANA service names mqtt, secure-mqtt
Place = Annotated[
    str,
    msgspec.Meta(
        # INSEE, code officiel géographique: a commune's five characters, a département's 2 or 3
        pattern=r"^([0-9]{2}|2[AB]|9[78][0-9]|[0-9]{5}|2[AB][0-9]{3})$",
        description='an INSEE code of a commune ("33063", "2A004") or a département ("33", "974")',
    ),
]


class VeilleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[veille]`: who listens, where it writes."""

    name: str
    timezone: str = "Europe/Paris"
    holidays: Region | None = None
    language: str = "fr"
    data_dir: str = "data"
    secrets: str = "secrets.toml"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[watch]]`: what is monitored; an empty query matches everything."""

    id: str
    query: str = ""
    territory: list[Place] = []


class HeartbeatSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[heartbeat]`: the address that hears a sign of life; empty: none is sent."""

    url: str = ""
    every: str = "1m"
    allow_private: bool = False

    def __post_init__(self) -> None:
        if self.url and not is_address(self.url):
            raise ValueError("url: no http or https address: write https://host/path")
        try:
            duration = parse_duration(self.every)
        except InputError as error:
            raise ValueError(f"every: {error}") from error  # msgspec adds the path to no other
        if duration < SHORTEST_HEARTBEAT:
            raise ValueError(f'every: "{self.every}": at least 10s, to spare the monitor')


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of config.toml."""

    veille: VeilleSettings
    watch: list[WatchSettings]
    source: list[SourceSettings] = []
    receiver: list[ReceiverSettings] = []
    route: RouteSettings = RouteSettings()
    inhibit: list[InhibitSettings] = msgspec.field(default_factory=lambda: list(INHIBIT))
    calendar: list[CalendarSettings] = []
    privacy: PrivacySettings = PrivacySettings()
    models: ModelSettings = ModelSettings()
    rules: RulesSettings = RulesSettings()
    reports: ReportsSettings = ReportsSettings()
    web: WebSettings = WebSettings()
    slack: SlackSettings = SlackSettings()
    oidc: OidcSettings = OidcSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    push: PushSettings = PushSettings()
    clock: ClockSettings = ClockSettings()
    person: list[PersonSettings] = []
    schedule: list[ScheduleSettings] = []
    escalation: list[EscalationSettings] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that was checked, with the folder its relative paths start from."""

    config: Config
    path: Path
    secrets: Secrets

    def resolve(self, relative: str) -> Path:
        """Return a path of the configuration as an absolute one."""
        return (self.path.parent / relative).resolve()

    @property
    def route(self) -> RouteSettings:
        """The route; one that names nobody tells every receiver."""
        route = self.config.route
        if any(node.receivers for node in nodes(route)):
            return route
        everybody = tuple(receiver.id for receiver in self.config.receiver)
        return msgspec.structs.replace(route, receivers=everybody)

    @property
    def muting(self) -> Muting:
        """What mutes beside people: inhibitions and calendars, by the institution's clocks."""
        calendars = {calendar.id: calendar for calendar in self.config.calendar}
        return Muting(inhibits=self.config.inhibit, calendars=calendars, zone=self.timezone)

    @property
    def watches(self) -> tuple[Watch, ...]:
        """The watches as the pipeline takes them."""
        return tuple(
            Watch(id=w.id, query=w.query, territory=tuple(w.territory)) for w in self.config.watch
        )

    @property
    def timezone(self) -> ZoneInfo:
        """The institution's time zone."""
        return ZoneInfo(self.config.veille.timezone)

    @property
    def region(self) -> Region:
        """Where its public holidays are: the one set, else that of the watched territories."""
        codes = [code for watch in self.config.watch for code in watch.territory]
        return self.config.veille.holidays or region_of(codes)


def find(path: Path | None) -> Path:
    """Return the configuration file to read; ConfigError lists where it was looked for."""
    for candidate in (path,) if path else SEARCHED:
        if candidate.is_file():
            return candidate.resolve()
    looked = ", ".join(str(p) for p in ((path,) if path else SEARCHED))
    raise ConfigError(f"no configuration found (looked for {looked}): name one with --config FILE")


def load(path: Path | None = None, *, is_lenient: bool = False) -> Loaded:
    """Return the checked configuration; ConfigError names the file, the key and the remedy.

    With `is_lenient`, to look and not to run, a secrets file that is refused is noted in
    `Secrets.trouble` and none of it is used.
    """
    found = find(path)
    config = parse(_text(found), name=found.name)
    file = found.parent / config.veille.secrets
    try:
        secrets = read_secrets(file)
    except ConfigError as error:
        if not is_lenient:
            raise
        secrets = Secrets({}, where=str(file), trouble=str(error))
    return Loaded(config=config, path=found, secrets=secrets)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: this is not TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def parse(text: str, *, name: str) -> Config:
    """Return the checked content of a config.toml; ConfigError says `name`, key and remedy."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config, strict=True)
        problems = list(_problems(config))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: this is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {explain(str(error), Config)}") from error
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    if problems:
        raise ConfigError("\n".join(f"{name}: {problem}" for problem in problems))
    return config


def _problems(config: Config) -> Iterator[str]:
    if config.veille.language not in LANGUAGES:
        yield f'veille.language: "{config.veille.language}" is not one of {", ".join(LANGUAGES)}'
    try:
        ZoneInfo(config.veille.timezone)
    except (KeyError, ValueError, OSError):
        yield f'veille.timezone: "{config.veille.timezone}" is no time zone: write Europe/Paris'
    if not config.watch:
        yield "watch: at least one [[watch]] says what to listen for"
    for section, ids in (
        ("watch", [w.id for w in config.watch]),
        ("source", [s.id for s in config.source]),
        ("receiver", [r.id for r in config.receiver]),
        ("calendar", [c.id for c in config.calendar]),
        ("person", [p.id for p in config.person]),
        ("schedule", [s.id for s in config.schedule]),
        ("escalation", [e.id for e in config.escalation]),
    ):
        yield from _id_problems(section, ids)
    yield from _query_problems(config)
    yield from _reference_problems(config)
    yield from _calendar_problems(config)
    yield from fallback_problems(config.receiver)
    yield from _client_problems(config)
    yield from _oncall_problems(config)
    try:
        config.rules.waits()
    except InputError as error:
        yield f"rules.group_wait: {error}"


def _id_problems(section: str, ids: list[str]) -> Iterator[str]:
    for index, name in enumerate(ids):
        if section != "person" and not _ID.fullmatch(name):  # a person is named as a user is
            yield f'{section}[{index}].id: "{name}": use a to z, 0 to 9, - and _'
        if name in ids[:index]:
            yield f'{section}[{index}].id: "{name}" is used twice'


def _query_problems(config: Config) -> Iterator[str]:
    for index, watch in enumerate(config.watch):
        try:
            parse_query(watch.query)
        except InputError as error:
            yield f"watch[{index}].query: {error}"


def _reference_problems(config: Config) -> Iterator[str]:
    watches = {w.id for w in config.watch}
    for index, source in enumerate(config.source):
        for name in source.watches or ():
            if name not in watches:
                yield unknown_name(f"source[{index}].watches", name, watches)
    receivers = {r.id for r in config.receiver}
    for at, route in placed(config.route):
        for name in route.receivers:
            if name not in receivers:
                yield unknown_name(f"{at}.receivers", name, receivers)
        severity = route.match.get("severity", Severity.INFO)
        if severity not in set(Severity):
            yield unknown_name(f"{at}.match.severity", severity, set(Severity))
    for name in config.reports.to or ():
        if name not in receivers:
            yield unknown_name("reports.to", name, receivers)


def _oncall_problems(config: Config) -> Iterator[str]:
    """Yield people, schedules, policies and receivers that nobody defined."""
    kinds = ("person", "schedule", "escalation", "receiver")
    known = {kind: [one.id for one in getattr(config, kind)] for kind in kinds}
    for at, kind, name in uses(config.person, config.schedule, config.escalation, config.route):
        if name not in known[kind]:
            yield unknown_name(at, name, known[kind])
    for index, one in enumerate(config.receiver):
        for name in one.schedules if isinstance(one, PushReceiver) else ():
            if name not in known["schedule"]:
                yield unknown_name(f"receiver[{index}].schedules", name, known["schedule"])


def _calendar_problems(config: Config) -> Iterator[str]:
    known = {calendar.id for calendar in config.calendar}
    for at, route in placed(config.route):
        for name in route.mute or ():
            if name not in known:
                yield unknown_name(f"{at}.mute", name, known)
    sources = {source.id for source in config.source} | KINDS
    for at, name in named(config.clock):
        if name not in sources:
            yield unknown_name(at, name, sources)


def _client_problems(config: Config) -> Iterator[str]:
    """Yield what would connect to a broker under the name of another: they would take turns."""
    known: dict[tuple[str, int, str], str] = {}
    for section, key in (("source", "client_id"), ("receiver", "node")):
        for index, one in enumerate(getattr(config, section)):
            if isinstance(one, MqttSource | MqttReceiver):
                port = one.port or (_TLS_PORT if one.tls else _PORT)
                at = f"{section}[{index}]"
                other = known.setdefault((one.host.lower(), port, one.client), at)
                if other != at:
                    yield (
                        f'{at}: client id "{one.client}" is that of {other} on the same broker, '
                        f"which would throw one out for the other: write another {key}"
                    )


def read_secrets(path: Path) -> Secrets:
    """Return the secrets of a TOML file (if it exists) and of systemd's credentials folder.

    A credential of the file's name stands for the file, which the service itself cannot read; any
    other is one secret. ConfigError when the file may be read by others: a secret is 0600.
    """
    values: dict[str, str] = {}
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    passed = Path(credentials) / path.name if credentials else None
    if passed is not None and passed.is_file():
        values = _table(passed)
    elif path.is_file():
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{path}: others may read the secrets: run chmod 600 {path}")
        values = _table(path)
    if credentials:
        for file in Path(credentials).iterdir():
            if file.is_file() and file != passed:
                values[file.name] = file.read_text(encoding="utf-8").strip()
    return Secrets(values, where=str(path))


def _table(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # the parser's message may quote the line, which is the secret
        raise ConfigError(f'{path}: this is not TOML: write lines NAME = "value"') from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}): give it to the user who runs veille, or "
            f"as a systemd credential named {path.name}"
        ) from error
    return {name: value for name, value in table.items() if isinstance(value, str)}


def notify_socket() -> str | None:
    """Return where systemd listens (sd_notify(3)), None when nobody does."""
    return os.environ.get("NOTIFY_SOCKET") or None


def packaged(name: str) -> Path:
    """Return the shipped folder `models`, `rules` or `examples`, of wheel or checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_data" / name, here.parents[1] / name):
        if folder.is_dir():
            return folder
    raise ConfigError(f"the shipped folder {name}/ is missing: install veille again")
