"""`/queue/{id}/why`: the words that carried each label, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from veille.domain.explanation import Explanation
from veille.domain.record import StoredMention
from veille.domain.whynot import WhyNot
from veille.store import work
from veille.web import throttle
from veille.web.site import site_of, visitor_of, words_of
from veille.web.words import Words
from veille.wording.format import number, visible
from veille.wording.whynot import Voice, sentences

CROWD = 500
"""With more texts waiting to be read nothing is explained: the longest explanation takes 7 s of a
core (docs/models.md), in which as many could be read at 12.6 ms each (benchmarks/README.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A head, its label, and the words that carried it, each with the points it loses without."""

    head: str
    label: str
    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reasons for the labels of a text, or in `problem` why there are none.

    `problem` is "" or the end of a message's key: slow, late, busy or changed.
    """

    reasons: tuple[Reason, ...] = ()
    problem: str = ""


def may_ask(request: web.Request, mention: StoredMention | None) -> bool:
    """Whether there is something to explain, and somebody who can."""
    is_read = mention is not None and mention.analysis is not None and not mention.is_deleted
    return is_read and site_of(request).explainer is not None


async def answer(request: web.Request, mention: StoredMention | None) -> Answer:
    """Return the reasons for the labels of a mention, or why there are none now.

    It takes seconds: what is shown of the mention is read again after them.
    """
    found = await explained(request, mention)
    if isinstance(found, str):
        return Answer(problem=found)
    return Answer(reasons=_said(words_of(request), found))


async def explained(
    request: web.Request, mention: StoredMention | None
) -> Sequence[Explanation] | str:
    """Return why each head said its label, or what stands in the way now: slow, late or busy."""
    site = site_of(request)
    if site.explainer is None or mention is None or not may_ask(request, mention):
        raise web.HTTPNotFound
    if (await site.store.read(work.backlog)).count > CROWD:
        return "late"
    if await throttle.ask_why(site.store, visitor_of(request).name, now=site.now()):
        return "slow"
    try:
        found = await site.explainer.explain(mention.text)
    except TimeoutError:  # its thread works on, and holds the turn
        found = None
    return "busy" if found is None else found


async def why_not(request: web.Request, mention: str, rule: str) -> list[str]:
    """Return what became of a mention under a rule, as sentences; or why that is not said now."""
    words, found = words_of(request), await became(request, mention, rule)
    if isinstance(found, str):
        return [words.say("web.why.slow" if found == "slow" else "why.page.slow")]
    return told(request, found)


async def became(request: web.Request, mention: str, rule: str) -> WhyNot | str:
    """Return what became of a mention under a rule, or what stands in the way: slow or busy."""
    site = site_of(request)
    if site.asker is None or rule not in site.asker.rules():
        raise web.HTTPNotFound
    if await throttle.ask_why(site.store, visitor_of(request).name, now=site.now()):
        return "slow"
    try:
        return await site.asker.why_not(mention, rule)
    except TimeoutError:
        return "busy"


def told(request: web.Request, found: WhyNot) -> list[str]:
    """Return what became of a mention, as sentences."""
    words, asker = words_of(request), site_of(request).asker
    voice = Voice(
        say=words.say,
        zone=words.timezone.key,
        now=words.now,
        topics=words.topics,
        rules={} if asker is None else asker.rules(),
        receivers=words.receivers,
        sources=words.sources,
    )
    return sentences(found, voice)


def _said(words: Words, found: Sequence[Explanation]) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            head=words.say(f"web.head.{each.head}"),
            label=words.label(each.head, each.label),
            words=tuple(
                (visible(span.text), number(words.say, round(100 * span.weight)))
                for span in each.spans
            ),
        )
        for each in found
    )
