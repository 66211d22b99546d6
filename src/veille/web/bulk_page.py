"""`/queue/bulk`: what one action does to many items, shown before it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from veille.domain.alert import Severity
from veille.domain.deed import BULK_LIMIT, Change, Deed, Outcome, Refused, Seen, Unchanged
from veille.domain.errors import InputError
from veille.domain.ids import parse_short_id
from veille.domain.incident import QueueState
from veille.domain.queue_filter import QueueFilter
from veille.domain.record import StoredMention
from veille.store import mentions, queue, ranking, users
from veille.store.engine import Db
from veille.web import snooze, undo
from veille.web.deeds import VERBS, active, deed_of
from veille.web.site import Site, form_of, render, see, site_of, visitor_of, words_of
from veille.web.views import path_of, where_of, with_query
from veille.web.words import Words

_SHOWN = 100
"""Lines of the preview; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One item of the preview: its number, what becomes of it or why nothing, and what it says."""

    id: str
    said: str
    mention: StoredMention | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    verb: str
    deed: Deed
    selection: Sequence[Seen]
    items: Sequence[str]
    view: str
    back: str
    fields: Mapping[str, str]


async def preview(request: web.Request) -> web.Response:
    """The page that says what changes, what does not and why, with the form that does it."""
    try:
        order = await _order(request)
        outcome = await site_of(request).actions.preview_bulk(
            order.selection, order.deed, actor=visitor_of(request).name
        )
    except InputError:
        return await _refused(request)
    return await _page(request, order, outcome)


async def do(request: web.Request) -> web.Response:
    """All that still stands as it was seen is changed; the others are named, and who was faster."""
    try:
        order = await _order(request)
        outcome = await site_of(request).actions.bulk(
            order.selection, order.deed, actor=visitor_of(request).name
        )
    except InputError:
        return await _refused(request)
    if outcome.refused:
        return await _page(request, order, outcome, is_done=True)
    return see(undo.after(order.back, outcome.done, done="bulk"))


async def _order(request: web.Request) -> _Order:
    form, site = await form_of(request), site_of(request)
    posted = await request.post()
    written = [value for value in posted.getall("item", []) if isinstance(value, str)]
    verb, fields, where = form.get("verb", ""), dict(form), where_of(form.get("view", ""))
    now = words_of(request).now
    if verb == "snooze":
        fields.setdefault("until", next(iter(snooze.choices(now, site.timezone))))
    if verb == "assign":
        to = fields.setdefault("to", visitor_of(request).name)
        fields["to"] = await active(site, to)
    if form.get("all"):
        written = await _whole(site, where, now)
    return _Order(
        verb=verb,
        deed=deed_of(verb, fields, now=now, zone=site.timezone),
        selection=_selection(written),
        items=written,
        view=where.query(),
        back=undo.safe_back(form.get("back", ""), path_of(where)),
        fields=fields,
    )


async def _whole(site: Site, where: QueueFilter, now: datetime) -> list[str]:
    """Return the first items of a view as the boxes of its pages name them."""
    found = await site.store.read(lambda db: ranking.ranked(db, where, now=now, limit=BULK_LIMIT))
    return [f"{each.item.id}.{each.item.version}" for each in found]


def _selection(written: Sequence[str]) -> list[Seen]:
    """Return the items of a page's boxes, `12.3` each: number and version."""
    if not 0 < len(written) <= BULK_LIMIT:
        raise InputError(f"choose 1 to {BULK_LIMIT} queue items")
    found = []
    for each in written:
        number, dot, version = each.partition(".")
        if not (dot and version.isascii() and version.isdigit() and len(version) < len("9" * 18)):
            raise InputError("choose items on the page of the queue")
        letter, known = parse_short_id(f"Q{number}")
        found.append(Seen(target=f"{letter}{known}", version=int(version)))
    return found


async def _page(
    request: web.Request, order: _Order, outcome: Outcome, *, is_done: bool = False
) -> web.Response:
    words, site = words_of(request), site_of(request)
    shown = [each.target for each in outcome.changes[:_SHOWN]]
    shown += [each.target for each in outcome.refused[:_SHOWN]]
    now = words.now
    texts, people, critical, undoing = await site.store.read(
        lambda db: _load(request, db, shown, outcome, back=order.back)
    )
    return render(
        request,
        "bulk.html",
        order=order,
        verb_name=words.say(f"views.bulk.do.{order.verb}"),
        is_done=is_done,
        will=[
            _line(each.target, _becomes(each, order.deed, words), texts)
            for each in outcome.changes[:_SHOWN]
        ],
        will_count=len(outcome.changes),
        critical=critical,
        wont=[_line(each.target, _why(each, words), texts) for each in outcome.refused[:_SHOWN]],
        wont_count=len(outcome.refused),
        needs_reason=any(r.why is Unchanged.NEEDS_REASON for r in outcome.refused),
        people=people,
        untils=snooze.named(now, site.timezone, words),
        undoing=undoing,
        back=order.back,
    )


def _load(
    request: web.Request, db: Db, targets: Sequence[str], outcome: Outcome, *, back: str
) -> tuple[dict[str, StoredMention], list[str], int, undo.Offer | None]:
    """Return the mentions of these items by name, who may be given them, how many of what changes
    are critical, and what is undone.
    """
    items = queue.of_ids(db, [parse_short_id(target)[1] for target in targets])
    stored = mentions.stored(db, [item.mention for item in items.values()])
    found = {f"Q{id}": stored[item.mention] for id, item in items.items() if item.mention in stored}
    people = [user.name for user in users.list_(db) if user.disabled_at is None]
    changed = queue.of_ids(db, [parse_short_id(each.target)[1] for each in outcome.changes])
    critical = sum(item.severity is Severity.CRITICAL for item in changed.values())
    deed = outcome.done.id
    return found, people, critical, undo.of_deed(request, db, deed, back=back) if deed else None


def _line(target: str, said: str, texts: Mapping[str, StoredMention]) -> Line:
    return Line(id=target, said=said, mention=texts.get(target))


def _becomes(change: Change, deed: Deed, words: Words) -> str:
    after = _standing(change.to_state, change.to_assignee, words)
    if deed.until is not None:
        after = f"{after}, {words.say('views.snoozed', until=words.until(deed.until))}"
    before = _standing(change.state, change.assignee, words)
    return words.say("views.bulk.becomes", id=change.target, before=before, after=after)


def _standing(state: QueueState, owner: str | None, words: Words) -> str:
    said = words.state(state)
    return words.say("views.bulk.with_owner", state=said, name=owner) if owner else said


def _why(refused: Refused, words: Words) -> str:
    is_unknown = refused.why is Unchanged.CHANGED_MEANWHILE and refused.who is None
    key = "changed_unknown" if is_unknown else refused.why.value
    why = words.say(f"views.bulk.why.{key}", who=refused.who)
    return words.say("views.bulk.line", id=refused.target, why=why)


async def _refused(request: web.Request) -> web.Response:
    form = await form_of(request)
    try:
        back = path_of(where_of(form.get("view", "")))
    except InputError:
        back = "/queue"
    return see(with_query(back, "done=bulk_refused"))


def verbs(words: Words) -> list[tuple[str, str]]:
    """Return what may be done to many items: value and label."""
    return [(verb, words.say(f"views.bulk.do.{verb}")) for verb in VERBS]
