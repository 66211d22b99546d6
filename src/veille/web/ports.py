"""What the web asks of others: human actions, the intake, health and sealed originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from veille.domain.explanation import Explanation
from veille.domain.incident import QueueState, Verdict
from veille.domain.silence import Match
from veille.domain.whynot import WhyNot
from veille.store.silences import Hidden


class Actions(Protocol):
    """What people do to `I12` or `Q345`. Each raises ConflictError when `version` is stale."""

    async def acknowledge(self, target: str, *, actor: str, version: int | None = None) -> None:
        """`target` is taken by `actor`."""

    async def assign(self, target: str, *, to: str, actor: str, version: int | None = None) -> None:
        """`target` is entrusted to `to`; InputError when nobody has that name."""

    async def resolve(
        self,
        target: str,
        *,
        actor: str,
        state: QueueState | None = None,
        version: int | None = None,
    ) -> None:
        """An incident is resolved; a queue item is in `state` (None: closed)."""

    async def judge(
        self, target: str, *, verdict: Verdict, actor: str, version: int | None = None
    ) -> None:
        """`actor` says so of an incident and its rules; a false alarm is resolved with it."""

    async def silence(
        self, target: str | Match, *, lasting: timedelta, reason: str, actor: str
    ) -> object:
        """Nothing more is said of an incident, or of what matches, for so long."""

    async def preview(self, target: str | Match) -> tuple[Match, list[Hidden]]:
        """What a silence of `target` matches, and what of 24 h and of now that hides."""

    async def expire(self, silence_id: int, *, actor: str) -> object:
        """The silence is over. ConflictError when it was over before."""

    async def note(self, target: str, *, text: str, actor: str) -> None:
        """`text` stands in the timeline of `target`."""

    async def correct(
        self,
        target: str,
        *,
        labels: Mapping[str, str],
        actor: str,
        version: int | None = None,
        reading: str | None = None,
    ) -> bool:
        """The mention of `target` has these labels, by head; "" takes a person's label back.

        Return whether that changed anything.
        RereadError when `reading`, the text and analysis that were judged, is of before.
        """


class Intake(Protocol):
    """Takes pushed mentions."""

    async def accept(self, source_id: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the JSON of a 202 once the mentions are committed; IntakeRefused otherwise.

        `headers` ignores case.
        """


class Health(Protocol):
    """Whether the daemon lives and may be sent work."""

    def is_live(self) -> bool:
        """Whether the daemon's own check of its loop and stages is good."""

    async def why_not_ready(self) -> tuple[str, ...]:
        """Reasons without names or texts, safe to show to anybody; empty when ready."""

    async def why_degraded(self) -> tuple[str, ...]:
        """What works less well than it should, as safe to show; empty when all does."""


class Exposition(Protocol):
    """Shows metrics."""

    async def render(self) -> bytes:
        """The text format of Prometheus, without names or texts of people."""


class Explainer(Protocol):
    """Says which words carried the labels of a text."""

    async def explain(self, text: str) -> tuple[Explanation, ...] | None:
        """What carried each label, in seconds; None at once while it explains another text.

        TimeoutError when it takes too long.
        """


class Whispers(Protocol):
    """Tells one person in Slack what nobody else sees."""

    def offer(self, *, receiver: str, channel: str, user: str, text: str) -> bool:
        """Whether `text` waits to be told; false when too many do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackDesk:
    """What answers Slack: its signing secret, and users by the member id config.toml gives them."""

    signing_secret: str = field(repr=False)
    members: Mapping[str, str]
    whispers: Whispers


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDesk:
    """What makes and reads the links in mails.

    `owners` are the receivers that take incidents by link: the one user each of them reaches, None
    for a shared mailbox.
    """

    key: bytes = field(repr=False)
    lifetime: timedelta
    owners: Mapping[str, str | None]


class Asker(Protocol):
    """Says what became of a mention under a rule."""

    def rules(self) -> Sequence[str]:
        """The ids of the rules that run."""

    async def why_not(self, mention: str, rule: str) -> WhyNot:
        """That it alerted, or the first thing that stood against it, in seconds.

        TimeoutError when it takes too long; InputError for a rule nobody knows.
        """


class Originals(Protocol):
    """Opens unmasked texts, and audits each opening."""

    async def open(self, key: str, *, actor: str) -> str | None:
        """The unmasked text of a mention, None when it is gone."""
