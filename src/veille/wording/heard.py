"""How much was heard of an incident, the same on its page, in Slack and in mails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from veille.domain.incident import Reach
from veille.wording.catalogue import Catalogue
from veille.wording.format import clock, duration, measure, moment, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """What the strongest rule counts at the moment: `value` different ones of `messages`.

    It counts within `window`. `usual` is the mean value before, None: unknown.
    """

    value: int
    messages: int
    window: timedelta
    usual: float | None = None


def heard(
    say: Catalogue,
    reach: Reach,
    *,
    lately: Lately | None,
    now: datetime,
    zone: str,
    ended_at: datetime | None = None,
) -> str:
    """Return `71 messages de 54 personnes depuis 20:41, dont 3 depuis 15 min (d'habitude : 0)`.

    One number leads, of all that belongs to the incident; what its rule counts is a part of it, and
    is left out when it counts no more (`lately` None), or when more came meanwhile that other rules
    count. Of what has ended, how long it took.
    """
    said = say.count("heard.messages", reach.messages, count=number(say, reach.messages))
    if reach.authors:
        people = number(say, reach.authors)
        said = say.count("heard.of", reach.authors, messages=said, people=people)
    if ended_at is not None:
        length = duration(say, ended_at - reach.first_at)
        return say("heard.within", messages=said, length=length)
    said = say("heard.since", messages=said, since=_clock(say, reach.first_at, now, zone))
    if lately is None or _is_less(lately, reach, now):
        return said
    return say("heard.lately", all=said, part=_part(say, lately))


def _is_less(lately: Lately, reach: Reach, now: datetime) -> bool:
    """Whether the rule counts less than what came within its window, where that is known."""
    is_all_within = now - reach.first_at <= lately.window
    return is_all_within and max(lately.value, lately.messages) < reach.messages


def _part(say: Catalogue, lately: Lately) -> str:
    is_repeated = lately.messages > lately.value
    said = say.count(
        f"heard.part.{'different' if is_repeated else 'alike'}",
        lately.value,
        count=number(say, lately.value),
        messages=number(say, max(lately.messages, lately.value)),
        window=duration(say, lately.window),
    )
    if lately.usual is None or is_repeated:  # usual are different ones
        return said
    return say("heard.usual", part=said, usual=measure(say, lately.usual, decimals=1))


def _clock(say: Catalogue, at: datetime, now: datetime, zone: str) -> str:
    return (clock if now - at < timedelta(days=1) else moment)(say, at, zone)
