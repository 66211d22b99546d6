"""What the web asks of others: human actions, the intake, health and sealed originals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from veille.domain.explanation import Explanation
from veille.domain.incident import QueueState


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


class Originals(Protocol):
    """Opens unmasked texts, and audits each opening."""

    async def open(self, key: str, *, actor: str) -> str | None:
        """The unmasked text of a mention, None when it is gone."""
