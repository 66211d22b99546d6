"""What the web asks of others: human actions, the intake, health and sealed originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from veille.domain.access import Role
from veille.domain.deed import Deed, Done, Outcome, Seen
from veille.domain.draft import Draft, Template
from veille.domain.explanation import Explanation
from veille.domain.incident import QueueState, Verdict
from veille.domain.silence import Match
from veille.domain.whynot import WhyNot
from veille.store.silences import Hidden


class Drafts(Protocol):
    """What people do to drafts and templates. ConflictError when `version` is not of the draft."""

    async def write(self, target: str, *, text: str, actor: str, image: str | None = None) -> Draft:
        """Return the new draft of this queue item; `image` is what is said of one, None without."""

    async def edit(
        self, draft: int, *, text: str, version: int, actor: str, image: str | None = None
    ) -> Draft:
        """Return the draft with this text; whatever approval it had is gone."""

    async def propose(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft waits for somebody to approve it."""

    async def approve(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft is approved; InputError by who wrote it."""

    async def drop(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft is put aside."""

    async def publish(
        self, draft: int, *, version: int, actor: str, place: str = "", link: str = ""
    ) -> Done:
        """It is noted that `actor` published it there, and its item is answered.

        InputError at severity critical unless somebody else approved it.
        """

    async def keep_template(
        self, name: str, *, text: str, actor: str, version: int | None = None
    ) -> Template:
        """Return the shared template of this name; `version` None: it is new."""

    async def remove_template(self, name: str, *, actor: str, version: int | None = None) -> None:
        """No shared template has this name; `version` None: whichever it has."""


class Actions(Protocol):
    """What people do to `I12` or `Q345`. Each raises ConflictError when `version` is stale."""

    @property
    def drafts(self) -> Drafts:
        """The verbs of draft answers."""

    async def do(self, target: str, deed: Deed, *, actor: str, version: int | None = None) -> Done:
        """The deed is done to `target`; of an incident take, assign and reopen alone."""

    async def acknowledge(self, target: str, *, actor: str, version: int | None = None) -> Done:
        """`target` is taken by `actor`."""

    async def assign(self, target: str, *, to: str, actor: str, version: int | None = None) -> Done:
        """`target` is entrusted to `to`; InputError when nobody has that name."""

    async def resolve(
        self,
        target: str,
        *,
        actor: str,
        state: QueueState | None = None,
        reason: str = "",
        version: int | None = None,
    ) -> Done:
        """An incident is resolved; a queue item is in `state` (None: closed).

        ReasonError when a question or request is closed without an answer and a reason.
        """

    async def reopen(self, target: str, *, actor: str, version: int | None = None) -> Done:
        """An incident is open again, a queue item new again; both are nobody's."""

    async def preview_bulk(self, selection: Sequence[Seen], deed: Deed, *, actor: str) -> Outcome:
        """What the deed would change of these queue items, what not, and why."""

    async def bulk(self, selection: Sequence[Seen], deed: Deed, *, actor: str) -> Outcome:
        """All of these queue items that stand as seen are changed at once; the others are named."""

    async def undo(self, deed: int, *, actor: str) -> tuple[str, ...]:
        """All the deed changed is as before; return the targets.

        ConflictError after ten seconds, for somebody else's, and when a target changed since.
        """

    async def merge(
        self, target: str, *, into: str, actor: str, version: int | None = None
    ) -> Done:
        """Incident `into` has the alerts and evidence of `target`, which is closed."""

    async def split(
        self,
        target: str,
        *,
        alerts: Sequence[str] = (),
        mentions: Sequence[str] = (),
        actor: str,
        version: int | None = None,
    ) -> tuple[str, Done]:
        """Return the new incident that has these alerts and mentions of `target`, and its undo."""

    async def judge(
        self,
        target: str,
        *,
        verdict: Verdict,
        actor: str,
        version: int | None = None,
        labels: Mapping[str, str] | None = None,
        reading: str | None = None,
    ) -> Done:
        """`actor` says so of `target` and its rules; a false alarm ends it.

        With `labels` the mention of a queue item is corrected too, as by `correct`.
        """

    async def silence(
        self, target: str | Match, *, lasting: timedelta, reason: str, actor: str
    ) -> object:
        """Nothing more is said of an incident, or of what matches, for so long."""

    async def preview(self, target: str | Match) -> tuple[Match, list[Hidden]]:
        """What a silence of `target` matches, and what of 24 h and of now that hides."""

    async def expire(self, silence_id: int, *, actor: str) -> object:
        """The silence is over. ConflictError when it was over before."""

    async def put_in_queue(self, key: str, *, actor: str) -> int:
        """The mention of this key has an item, whose number this is; InputError if not stored."""

    async def note(self, target: str, *, text: str, actor: str) -> tuple[str, ...]:
        """`text` stands in the timeline of `target`; return the colleagues it calls by `@name`."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDesk:
    """What browsers subscribe to notifications with, and how their addresses are kept.

    A trial goes through the outbox of `receiver`; addresses are of `hosts` only.
    """

    public_key: str
    receiver: str
    sealing_key: bytes = field(repr=False)
    hosts: tuple[str, ...]
    allow_private: bool = False


class Asker(Protocol):
    """Says what became of a mention under a rule."""

    def rules(self) -> Mapping[str, str]:
        """The rules that run: what people call each, by its id."""

    async def why_not(self, mention: str, rule: str) -> WhyNot:
        """That it alerted, or the first thing that stood against it, in seconds.

        TimeoutError when it takes too long; InputError for a rule nobody knows.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What a browser is sent to a provider with: secrets of this one login."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a provider says somebody is: `issuer` and `subject`, and nothing else, are who.

    `organisation` is the SIRET, `domain` that of a verified e-mail address, each "" if not said.
    """

    issuer: str
    subject: str
    name: str
    organisation: str
    domain: str
    is_strong: bool
    """Whether the provider has seen two factors."""
    id_token: str = field(repr=False)


class Provider(Protocol):
    """An identity provider; LoginRefused says why somebody does not come in."""

    name: str
    """On the button."""
    opens_accounts: bool
    """Whether anybody at all has an account without being invited."""

    async def door(self, knock: Knock, *, back: str) -> str:
        """Return the address to send the browser to; it comes back to `back`."""

    async def person(self, code: str, knock: Knock, *, back: str) -> Person:
        """Return whom the provider answers for, every signature and claim verified."""

    async def exit(self, id_token: str, *, state: str, back: str) -> str | None:
        """Return the address that ends the session at the provider too, None if it has none."""

    def role_of(self, person: Person) -> Role | None:
        """Return the role of a new account of this person, None where they must be invited."""


class Originals(Protocol):
    """Opens unmasked texts, and audits each opening."""

    async def open(self, key: str, *, actor: str) -> str | None:
        """The unmasked text of a mention, None when it is gone."""
