"""On call as configured: the roster, where its calendars are, and what `veille check` finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from veille.alerts.oncall_schedule import Schedule, gaps, shifts
from veille.alerts.oncall_settings import EscalationSettings
from veille.alerts.settings import nodes
from veille.app.oncall_words import Board
from veille.config import Loaded
from veille.domain.address import is_address
from veille.domain.durations import parse_duration
from veille.domain.errors import ConfigError
from veille.domain.oncall import CalendarRole, Shift
from veille.net.client import Client
from veille.pipeline.calendars import Calendars, Origin
from veille.pipeline.escalate import Escalate
from veille.pipeline.oncall import Roster
from veille.store.protocol import Store
from veille.wording.catalogue import catalogue

AHEAD = timedelta(weeks=4)
"""How far gaps are looked for: the next turns, while there is time to fill them."""
SECRET = "secret:"  # noqa: S105 a prefix
SHOWN = 3


def roster(loaded: Loaded) -> Roster:
    """Return the people and schedules of the configuration."""
    config = loaded.config
    return Roster(
        people=config.person,
        schedules=config.schedule,
        zone=loaded.timezone,
        region=loaded.region,
    )


def board(loaded: Loaded, store: Store, *, now: Callable[[], datetime]) -> Board:
    """Return what pages say of who is on call."""
    say = catalogue(loaded.config.veille.language)
    return Board(store, roster(loaded), say=say, zone=loaded.timezone, now=now)


def escalate(loaded: Loaded, store: Store) -> Escalate | None:
    """Return the stage that escalates; None without a policy."""
    policies = loaded.config.escalation
    if not policies:
        return None
    return Escalate(store, policies=policies, roster=roster(loaded), route=loaded.route)


async def calendars(loaded: Loaded, store: Store, stack: AsyncExitStack) -> Calendars | None:
    """Return the stage that reads calendars; None without one. Clients close with the stack."""
    found = list(_origins(loaded))
    if not found:
        return None
    clients = {
        may: await stack.enter_async_context(Client(allow_private=may))
        for may in {origin.allow_private for origin in found}
    }
    return Calendars(store, found, roster=roster(loaded), get=lambda may: clients[may])


def secret_names(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Yield the schedules whose calendar's address is a secret, and its name."""
    for settings in loaded.config.schedule:
        for written in (settings.calendar, settings.override_calendar):
            if written is not None and written.startswith(SECRET):
                yield f"schedule {settings.id}", written.removeprefix(SECRET)


def _origins(loaded: Loaded) -> Iterator[Origin]:
    for settings in loaded.config.schedule:
        for role, written in (
            (CalendarRole.PRIMARY, settings.calendar),
            (CalendarRole.OVERRIDE, settings.override_calendar),
        ):
            if written is not None:
                yield Origin(
                    schedule=settings.id,
                    role=role,
                    address=_address(loaded, written),
                    every=parse_duration(settings.refresh),
                    allow_private=settings.allow_private,
                )


def _address(loaded: Loaded, written: str) -> str:
    """Return the address or the path of a calendar; ConfigError for what is neither."""
    found = written
    if written.startswith(SECRET):
        found = loaded.secrets(written.removeprefix(SECRET))
    if "://" not in found:
        return str(loaded.resolve(found))
    if not is_address(found):
        raise ConfigError("a calendar's address is no https address: write https://host/path.ics")
    return found


def findings(loaded: Loaded, *, now: datetime) -> Iterator[str]:
    """Yield what would leave an incident without anybody: holes, policies that reach nobody."""
    name, config = loaded.path.name, loaded.config
    known = roster(loaded)
    for index, person in enumerate(config.person):
        if not person.receivers:
            yield (
                f'{name}: person[{index}]: nothing reaches "{person.id}": write receivers, '
                "ids of [[receiver]]"
            )
    for index, settings in enumerate(config.schedule):
        # what a calendar leaves open, veille oncall shows
        if settings.calendar is None and not settings.gaps:
            plan = known.schedules[settings.id]
            for finding in _holes(plan, now):
                yield f"{name}: schedule[{index}]: {finding}"
    used = {node.escalation for node in nodes(config.route)}
    for index, policy in enumerate(config.escalation):
        if policy.id not in used:
            yield (
                f'{name}: escalation[{index}]: no route names it: write escalation = "{policy.id}" '
                "under [route] or [[route.routes]]"
            )
        if not _reaches(policy, known):
            yield (
                f'{name}: escalation[{index}]: "{policy.id}" notifies nobody: '
                "none of its people has receivers"
            )


def _holes(plan: Schedule, now: datetime) -> Iterator[str]:
    found = gaps(shifts(plan, now, now + AHEAD))
    for gap in found[:SHOWN]:
        yield (
            f'nobody is on call on "{plan.id}" {_span(gap, plan)}: add a layer or an override, '
            "or write gaps = true if that is meant"
        )
    if len(found) > SHOWN:
        yield f'and {len(found) - SHOWN} more gaps on "{plan.id}" within four weeks: veille oncall'


def _span(gap: Shift, plan: Schedule) -> str:
    starts, ends = (at.astimezone(plan.zone) for at in (gap.starts_at, gap.ends_at))
    return f"from {starts:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}"


def _reaches(policy: EscalationSettings, known: Roster) -> bool:
    people = known.staff.people
    for step in policy.steps:
        named = {*step.people, *(p for s in step.schedules for p in _everybody(known, s))}
        if step.receivers or any(people[one].receivers for one in named if one in people):
            return True
        if any(known.schedules[s].layers == () for s in step.schedules):
            return True  # its calendar says who: not known here
    return False


def _everybody(known: Roster, schedule: str) -> set[str]:
    plan = known.schedules[schedule]
    own = (person for layer in plan.layers for person in layer.people)
    return {*own, *(person for shift in plan.fixed for person in shift.people)}
