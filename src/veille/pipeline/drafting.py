"""Draft answers: written, proposed, approved by somebody else, and noted as published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from veille.alerts import drafting, items
from veille.alerts.items import Doing
from veille.domain.deed import TWICE, Deed, Done, Verb
from veille.domain.draft import NAME_LENGTH, Draft, Template
from veille.domain.errors import ConflictError, InputError
from veille.domain.ids import parse_short_id
from veille.domain.incident import QueueState
from veille.domain.text import is_line
from veille.pipeline.work import Work, hashed, item_of
from veille.store import drafts

T = TypeVar("T")
TEMPLATES = "templates"


class Run(Protocol):
    """Does a change as one deed of an actor."""

    def __call__(self, verb: str, actor: str, change: Callable[[Work], T]) -> Awaitable[T]: ...


class Drafts:
    """What people do to drafts and templates. ConflictError when `version` is not of the draft."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def write(self, target: str, *, text: str, actor: str, image: str | None = None) -> Draft:
        """Return the new draft of this queue item; sent twice within `TWICE` it is one."""
        letter, number = parse_short_id(target)
        if letter != "Q":
            raise InputError(f"{target}: drafts are written for queue items")
        said = drafting.check_text(text)

        def change(work: Work) -> Draft:
            item_of(work.db, number)
            for known in drafts.of_item(work.db, number):
                is_same = (known.text, known.image, known.author) == (said, image, actor)
                if is_same and known.version == 1 and work.now - known.updated_at <= TWICE:
                    return known
            made = drafts.add(
                work.db, item=number, text=said, author=actor, image=image, now=work.now
            )
            work.tell_draft(made, "written", None)
            return made

        return await self._run("draft", actor, change)

    async def version(self, draft: int, target: str) -> int:
        """Return the version a draft of this queue item has now; InputError for another's."""

        def look(work: Work) -> int:
            found = _known(work, draft)
            if found.item != parse_short_id(target)[1]:
                raise InputError(f"draft {draft} is none of {target}")
            return found.version

        return await self._run("draft", "", look)

    async def template_version(self, name: str) -> int | None:
        """Return the version of a shared template, None where there is none of this name."""

        def look(work: Work) -> int | None:
            known = {one.name: one.version for one in drafts.templates(work.db)}
            return known.get(" ".join(name.split()))

        return await self._run("template", "", look)

    async def edit(
        self, draft: int, *, text: str, version: int, actor: str, image: str | None = None
    ) -> Draft:
        """Return the draft with this text; whatever approval it had is gone."""

        def change(work: Work) -> Draft:
            before = _draft(work, draft, version)
            after = drafting.edit(before, text=text, image=image, actor=actor, now=work.now)
            if after == before:
                return before
            kept = drafts.save(work.db, after, expected_version=before.version)
            work.tell_draft(kept, "edited", before)
            return kept

        return await self._run("draft", actor, change)

    async def propose(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft waits for somebody to approve it."""

        def change(work: Work) -> Done:
            before = _draft(work, draft, version)
            work.save_draft(before, drafting.propose(before, now=work.now), "proposed")
            return work.done

        return await self._run("propose", actor, change)

    async def approve(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft is approved; InputError by who wrote it."""

        def change(work: Work) -> Done:
            before = _draft(work, draft, version)
            after = drafting.approve(before, actor=actor, now=work.now)
            work.save_draft(before, after, "approved")
            return work.done

        return await self._run("approve", actor, change)

    async def drop(self, draft: int, *, version: int, actor: str) -> Done:
        """The draft is put aside."""

        def change(work: Work) -> Done:
            before = _draft(work, draft, version)
            work.save_draft(before, drafting.drop(before, now=work.now), "dropped")
            return work.done

        return await self._run("drop", actor, change)

    async def publish(
        self, draft: int, *, version: int, actor: str, place: str = "", link: str = ""
    ) -> Done:
        """It is noted that `actor` published the draft there, and its item is answered.

        InputError at severity critical unless somebody else approved it.
        """

        def change(work: Work) -> Done:
            before = _draft(work, draft, version)
            item = item_of(work.db, before.item)
            after = drafting.publish(
                before, item.severity, actor=actor, place=place, link=link, now=work.now
            )
            if after == before:
                return work.done
            work.save_draft(before, after, "published")
            deed = Deed(verb=Verb.MOVE, state=QueueState.ANSWERED)
            if item.state.is_open:
                work.save_item(item, items.do(item, deed, Doing(actor=actor, now=work.now)))
            return work.done

        return await self._run("publish", actor, change)

    async def keep_template(
        self, name: str, *, text: str, actor: str, version: int | None = None
    ) -> Template:
        """Return the shared template of this name; `version` None: it is new."""
        called, said = " ".join(name.split()), drafting.check_text(text)
        if not 0 < len(called) <= NAME_LENGTH or not is_line(called):
            raise InputError(f"a template's name has 1 to {NAME_LENGTH} visible characters")

        def change(work: Work) -> Template:
            kept = drafts.keep_template(
                work.db, name=called, text=said, author=actor, now=work.now, version=version
            )
            after = {"template": kept.id, "length": len(said), "text": hashed(said)}
            work.audit("template.kept", TEMPLATES, None, after)
            return kept

        return await self._run("template", actor, change)

    async def remove_template(self, name: str, *, actor: str, version: int | None = None) -> None:
        """No shared template has this name; `version` None: whichever it has."""

        def change(work: Work) -> None:
            gone = drafts.remove_template(work.db, name, version=version)
            work.audit("template.removed", TEMPLATES, {"template": gone.id}, None)

        await self._run("template", actor, change)


def _known(work: Work, number: int) -> Draft:
    found = drafts.get(work.db, number)
    if found is None:
        raise InputError(f"there is no draft {number} (any more)")
    return found


def _draft(work: Work, number: int, version: int) -> Draft:
    found = _known(work, number)
    if found.version != version:
        raise ConflictError(
            f"draft {number} was changed by {found.author} meanwhile: read it again, then decide"
        )
    return found
