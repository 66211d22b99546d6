"""How the clock's warnings are worded for who hears them."""

from __future__ import annotations

from collections.abc import Mapping

from veille.app import parts
from veille.config import Loaded
from veille.domain.ids import short_id
from veille.pipeline.clock import Summary
from veille.store.duties import Warned
from veille.wording import format as wording
from veille.wording.catalogue import catalogue


def warning(loaded: Loaded) -> Summary | None:
    """Return what words a warning, in the institution's language; None where nobody is warned."""
    if not loaded.config.clock.notify:
        return None
    names = parts.source_names(loaded)
    say, zone = catalogue(loaded.config.veille.language), str(loaded.timezone)

    def worded(warned: Warned) -> Mapping[str, str]:
        due = wording.moment(say, warned.due_at, zone)
        what = say("clock.warning.title", due=due)
        named = "item" if warned.item is not None else "alone"
        item = short_id("Q", warned.item or 0)
        return {
            "summary": what,
            "description": say(
                f"clock.warning.{named}", source=names.get(warned.source, warned.source), item=item
            ),
            "actions": say("clock.warning.actions"),
        }

    return worded
