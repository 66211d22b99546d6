"""The town's own accounts: kept, slowing down or abandoned, as the rules that watch them know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from veille.rules.model import Rule
from veille.rules.params import Silence
from veille.rules.silence import Heard
from veille.store import memories
from veille.store.engine import Db
from veille.web.words import Words
from veille.wording.format import number

SLOW_RATIO = 1 / 3
"""Of the age from which an account counts as abandoned; judgement: of 90 days a month."""
SHAPES = {"abandoned": "▲", "slow": "◆", "active": "●", "unheard": "○"}
_HEARD = msgspec.json.Decoder(Heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An own account: its last post, and what others wrote there since. None: none was heard.

    `limit` is the age from which the rule that watches it says that it is abandoned.
    """

    source: str
    last_at: datetime | None = None
    unanswered: int = 0
    limit: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An account in words; `action` is what is suggested, "" where nothing is."""

    source: str
    name: str
    state: str
    shape: str
    said: str
    facts: Sequence[str]
    action: str


def load(db: Db, rules: Iterable[Rule], own: Iterable[str]) -> list[Account]:
    """Return the accounts that rules have heard publish, and those of `own` that were not heard."""
    watching = {
        rule.feed: rule
        for rule in rules
        if isinstance(rule.params, Silence) and rule.params.own and "source" in rule.group_by
    }
    found = {name: Account(source=name) for name in own}
    for feed, states in memories.load(db, watching).items():
        rule = watching[feed]
        params, at = rule.params, rule.group_by.index("source")
        for state in states.values():
            heard = _HEARD.decode(state)
            account = Account(
                source=heard.values[at],
                last_at=heard.last,
                unanswered=heard.others,
                limit=params.max_age if isinstance(params, Silence) else None,
            )
            found[account.source] = _sooner(found.get(account.source), account)
    return sorted(found.values(), key=lambda account: account.source)


def _sooner(known: Account | None, other: Account) -> Account:
    """Return the stricter of two rules' words on one account."""
    if known is None or known.limit is None:
        return other
    return other if other.limit is not None and other.limit < known.limit else known


def state_of(account: Account, now: datetime) -> str:
    """Return `abandoned`, `slow`, `active`, or `unheard` where no post or no rule is known."""
    if account.last_at is None or account.limit is None:
        return "unheard"
    age = now - account.last_at
    if age >= account.limit:
        return "abandoned"
    return "slow" if age >= account.limit * SLOW_RATIO else "active"


def row(account: Account, words: Words) -> Row:
    """Return an account in words."""
    say, state = words.say, state_of(account, words.now)
    facts = []
    if account.last_at is not None:
        facts.append(say("pages.accounts.last", time=words.at(account.last_at)))
        count = number(say, account.unanswered)
        facts.append(say.count("pages.accounts.since", account.unanswered, count=count))
    if account.limit is not None:
        facts.append(say("pages.accounts.limit", days=account.limit.days))
    key = f"pages.accounts.action.{state}"
    return Row(
        source=account.source,
        name=words.source(account.source),
        state=state,
        shape=SHAPES[state],
        said=say(f"pages.accounts.state.{state}"),
        facts=facts,
        action=say(key) if key in say.messages else "",
    )
