"""What pages know of the house that is not in the store: sources, rules, who is on call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from veille.alerts.oncall_settings import EscalationSettings
from veille.domain.oncall import CalendarRole, Override, Shift
from veille.rules.model import RuleSet
from veille.store.oncall import Copy
from veille.wording.receivers import Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """A source as config.toml has it; `poll` is how often it is read, None where it is pushed."""

    id: str
    kind: str
    name: str = ""
    is_own: bool = False
    poll: timedelta | None = None


class Tested(Protocol):
    """What the tests of one rule file found, and when; `is_stale`: the file changed since."""

    @property
    def at(self) -> datetime: ...
    @property
    def passed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def findings(self) -> Sequence[str]: ...
    @property
    def is_stale(self) -> bool: ...


class RuleDesk(Protocol):
    """The rules that run, the folder they come from, and their tests."""

    def running(self) -> RuleSet:
        """The rules in force, which a refused folder does not change."""

    async def files(self) -> Mapping[str, bytes]:
        """The rule and test files as they are now, by name; RuleError if they cannot be read."""

    async def tested(self, file: str) -> Tested | None:
        """What the tests of this rule file last found, None before they ran here."""

    async def test(self, file: str) -> bool:
        """Its tests have run; false at once while others run. TimeoutError, RuleError."""


class Roll(Protocol):
    """One schedule: who is on call over the days asked for, and what is wrong with it."""

    @property
    def id(self) -> str: ...
    @property
    def shifts(self) -> Sequence[Shift]: ...
    @property
    def now(self) -> Shift: ...
    @property
    def next(self) -> Shift | None: ...
    @property
    def gaps(self) -> Sequence[Shift]: ...
    @property
    def overlaps(self) -> Sequence[Shift]: ...
    @property
    def overrides(self) -> Sequence[Override]: ...
    @property
    def copies(self) -> Sequence[Copy]: ...
    @property
    def unread(self) -> Sequence[CalendarRole]: ...
    @property
    def unknown(self) -> Sequence[str]: ...


class Change(Protocol):
    """A time that changes hands: who is on call in it, and who would be."""

    @property
    def before(self) -> Shift: ...
    @property
    def after(self) -> str: ...


class RotaDesk(Protocol):
    """Who is on call; `own` is the person whose shifts alone may change hands, None: anybody's.

    InputError for what cannot be, ConflictError for what changed meanwhile, OwnShiftError for what
    is somebody else's.
    """

    @property
    def names(self) -> Mapping[str, str]:
        """How people are called, by id."""

    @property
    def policies(self) -> Sequence[EscalationSettings]:
        """The escalation policies of config.toml."""

    @property
    def uses(self) -> Mapping[str, Sequence[str]]:
        """By policy what is escalated by it, as labels; "" is everything."""

    async def rolls(self, now: datetime, *, ahead: timedelta) -> Sequence[Roll]:
        """All schedules from `now` on."""

    async def replaced(
        self, override: Override, *, own: str | None, now: datetime
    ) -> Sequence[Change]:
        """What an override would change."""

    async def swapped(
        self, schedule: str, keys: Sequence[str], *, own: str | None, now: datetime
    ) -> Sequence[Change]:
        """What would change if these two shifts did, each named by `shift_key`."""

    async def replace(self, override: Override, *, own: str | None, now: datetime) -> None:
        """The override counts."""

    async def swap(
        self, schedule: str, keys: Sequence[str], *, own: str | None, actor: str, now: datetime
    ) -> None:
        """Each of the two people has the other's shift."""

    async def hand_back(self, id: int, *, own: str | None, actor: str, now: datetime) -> None:
        """The override counts no more; with `own`, only one that `actor` wrote."""


def _no_quota() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What `app` tells pages; None where there is none, as in tests of other pages.

    `quota` says how many requests platforms still allow, by source, where they say so.
    """

    sources: Sequence[SourceInfo] = ()
    quota: Callable[[], Mapping[str, float]] = field(default=_no_quota)
    receivers: Sequence[Receiver] = ()
    rules: RuleDesk | None = None
    rota: RotaDesk | None = None
