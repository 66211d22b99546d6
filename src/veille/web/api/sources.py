"""What is read and who is told: sources, the town's own accounts, receivers, and what waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from veille.store.flow import Flow
from veille.store.sources import SourceHealth
from veille.store.work import Backlog
from veille.web import accounts, sources_page
from veille.web.accounts import Account
from veille.web.api.operation import Answer, Call, Nothing
from veille.web.api.shapes import Shape, shaped
from veille.web.house import SourceInfo
from veille.web.sources_page import Loaded


class SourceShape(Shape, frozen=True, kw_only=True):
    """A source: `down` since its last good read, `mute` as a rule says, `unread`, `fine`, `gone`.

    Counts of `health` are totals, null before the first try. `poll` is how often it is read, null
    where it is pushed; `quota` how many requests the platform still allows, where it says so.
    """

    id: str
    kind: str
    is_own: bool
    poll: timedelta | None
    state: Literal["down", "mute", "unread", "fine", "gone"]
    since: datetime | None
    health: SourceHealth | None
    flow: Flow
    quota: float | None


class AccountShape(Shape, frozen=True, kw_only=True):
    """An own account: `abandoned` from `limit` without a post on, `slow` from a third of it.

    `unanswered` counts what residents wrote since the last post.
    """

    source: str
    state: Literal["abandoned", "slow", "active", "unheard"]
    last_at: datetime | None
    unanswered: int
    limit: timedelta | None


class Receiver(Shape, frozen=True, kw_only=True):
    """A receiver that could not be told, how many messages wait for it, and why."""

    id: str
    waiting: int
    cause: str


class Sources(Shape, frozen=True, kw_only=True):
    """What is read, own accounts, receivers in trouble, and what waits to be analyzed."""

    items: list[SourceShape]
    accounts: list[AccountShape]
    receivers: list[Receiver]
    backlog: Backlog


async def list_(call: Call[Nothing, None]) -> Answer[Sources]:
    """How each source is, those of config.toml first; own accounts, and who cannot be told."""
    house = call.site.house
    loaded = await call.site.store.read(lambda db: sources_page.load(db, house, call.now))
    quota = house.quota()
    return Answer(
        value=Sources(
            items=[
                _source(info, state, loaded, quota.get(info.id))
                for info, state in sources_page.states(loaded, house)
            ],
            accounts=[_account(each, call.now) for each in loaded.own],
            receivers=[
                Receiver(id=name, waiting=count, cause=cause)
                for name, (count, cause) in loaded.troubles.items()
            ],
            backlog=loaded.backlog,
        )
    )


def _source(info: SourceInfo, state: str, loaded: Loaded, quota: float | None) -> SourceShape:
    return shaped(
        SourceShape,
        info,
        state=state,
        since=sources_page.since_of(info.id, state, loaded),
        health=loaded.health.get(info.id),
        flow=loaded.flows.get(info.id, Flow()),
        quota=quota,
    )


def _account(found: Account, now: datetime) -> AccountShape:
    return shaped(AccountShape, found, state=accounts.state_of(found, now))
