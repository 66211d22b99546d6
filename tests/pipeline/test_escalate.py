"""Escalation on a real store: timers outlive a kill, an acknowledgement stops everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from veille.alerts.oncall_settings import EscalationSettings, PersonSettings, ScheduleSettings
from veille.alerts.settings import RouteSettings
from veille.domain.calendar import Region
from veille.domain.errors import ConflictError
from veille.domain.notification import NotificationKind
from veille.domain.oncall import Ended, Override
from veille.domain.silence import Mute, MuteKind
from veille.pipeline.actions import Actions
from veille.pipeline.deliver import Deliver, Sender
from veille.pipeline.escalate import Escalate
from veille.pipeline.oncall import Roster, take_over
from veille.store import escalations, incidents, outbox, timeline

if TYPE_CHECKING:
    from conftest import Town
    from veille.domain.notification import Document, Notification, Ref
    from veille.store.engine import Db, SqliteStore

PEOPLE = [
    {"id": "anne", "name": "Anne", "receivers": ["tel-anne"], "slack": "U0000000001"},
    {"id": "bruno", "name": "Bruno", "receivers": ["tel-bruno"]},
    {"id": "chloe", "name": "Chloé", "receivers": ["tel-chloe"]},
]
STEPS = [
    {"schedules": ["primaire"]},
    {"after": "5m", "people": ["bruno"]},
    {"after": "10m", "people": ["chloe"]},
]
SCHEDULES = [{"id": "primaire", "layers": [{"people": ["anne"], "start": "2026-01-01"}]}]
MINUTE = timedelta(minutes=1)
RULES = b"""
rules:
  - id: urgent
    kind: mention
    where: {urgency.label: urgent}
    window: WINDOW
    severity: SEVERITY
    annotations: {summary: "Appel urgent"}
"""


@dataclass
class Phone:
    """A receiver that notes what it is told."""

    told: list[Notification] = field(default_factory=list)

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        self.told.append(notification)
        return {}

    async def publish(self, document: Document) -> None:
        raise AssertionError


@dataclass
class Duty:
    """A town with people on call; `restart` forgets all that is not in the store."""

    town: Town
    build: Callable[[], Escalate]
    phones: dict[str, Phone]
    escalate: Escalate
    roster: Roster
    route: RouteSettings

    async def work(self, *, later: timedelta = timedelta(0)) -> None:
        await self.town.work(later=later)
        while await self.escalate.step(self.town.now):
            pass
        for name, phone in self.phones.items():
            sender = Sender(institution="Saint-Aubin", public_url="http://x")
            stage = Deliver(self.town.store, receiver=name, notifier=phone, sender=sender)
            while await stage.step(self.town.now):
                pass

    async def run(self, minutes: int) -> None:
        for _ in range(minutes):
            await self.work(later=MINUTE)

    def restart(self, *, after: timedelta) -> None:
        self.town.now += after
        self.escalate = self.build()

    def heard(self) -> dict[str, list[float]]:
        """When each phone heard of an escalation, in minutes since the start."""
        start = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)
        return {
            name: [
                (one.facts.at - start) / MINUTE
                for one in phone.told
                if one.kind is NotificationKind.ESCALATED
            ]
            for name, phone in self.phones.items()
        }

    @property
    def actions(self) -> Actions:
        return Actions(self.town.store, route=self.route, now=lambda: self.town.now)


@pytest.fixture
def on_duty(stages: Callable[..., Town], store: SqliteStore) -> Callable[..., Awaitable[Duty]]:
    async def make(
        *,
        window: str = "6h",
        severity: str = "critical",
        steps: list[dict[str, object]] = STEPS,
        people: list[dict[str, object]] = PEOPLE,
        schedules: list[dict[str, object]] = SCHEDULES,
        policy: dict[str, object] | None = None,
    ) -> Duty:
        rules = RULES.replace(b"WINDOW", window.encode()).replace(b"SEVERITY", severity.encode())
        town = stages(store, rules=rules)
        await town.evaluate.open(town.now)
        described = {"id": "crise", "steps": steps, **(policy or {})}
        policies = [msgspec.convert(described, EscalationSettings)]
        route = RouteSettings(receivers=("astreinte",), escalation="crise")
        roster = Roster(
            people=msgspec.convert(people, list[PersonSettings]),
            schedules=msgspec.convert(schedules, list[ScheduleSettings]),
            zone=ZoneInfo("Europe/Paris"),
            region=Region.METROPOLE,
        )

        def build() -> Escalate:
            return Escalate(store, policies=policies, roster=roster, route=route)

        names = ("astreinte", "tel-anne", "tel-bruno", "tel-chloe")
        phones = {name: Phone() for name in names}
        return Duty(town, build, phones, build(), roster, route)

    return make


async def test_s2_each_relay_is_told_at_its_time_over_a_kill(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["tel-anne"] == [0]
    await duty.run(4)
    duty.restart(after=2 * MINUTE)
    await duty.work()
    assert duty.heard() == {"astreinte": [], "tel-anne": [0], "tel-bruno": [6], "tel-chloe": []}
    await duty.run(6)
    assert duty.heard() == {"astreinte": [], "tel-anne": [0], "tel-bruno": [6], "tel-chloe": [10]}


async def test_s2_an_acknowledgement_at_eight_minutes_spares_the_third(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(8)
    await duty.actions.acknowledge("I1", actor="bruno")
    await duty.run(4)
    heard = duty.heard()
    assert heard["tel-bruno"] == [5]
    assert heard["tel-chloe"] == []
    found = await duty.town.store.read(lambda db: escalations.get(db, 1))
    assert found is not None
    assert found.ended is Ended.ACKNOWLEDGED


async def test_what_already_waits_is_dropped_once_somebody_took_it(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()
    await duty.escalate.step(duty.town.now)  # Anne's row waits in the outbox
    await duty.actions.acknowledge("I1", actor="bruno")
    await duty.work(later=timedelta(seconds=1))
    assert duty.heard()["tel-anne"] == []
    log = await duty.town.store.read(lambda db: outbox.log(db, 1))
    assert next(e.state for e in log if e.receiver == "tel-anne") is outbox.Delivery.DROPPED
    events = await duty.town.store.read(lambda db: timeline.of(db, "I1"))
    assert "notification.dropped" in [event.kind for event in events]


async def test_an_acknowledgement_after_veille_resolved_reopens_nothing(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty(window="2m")
    await duty.town.say("au secours")
    await duty.work()
    while (await duty.town.store.read(lambda db: incidents.get(db, 1))).state != "resolved":
        await duty.work(later=MINUTE)
    before = duty.heard()
    duty.town.now += timedelta(seconds=1)
    with pytest.raises(ConflictError, match="not reopened"):
        await duty.actions.acknowledge("I1", actor="bruno")
    await duty.run(4)
    assert duty.heard() == before


async def test_nobody_on_call_hands_over_at_once_and_says_so(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    later = [{"id": "primaire", "layers": [{"people": ["anne"], "start": "2027-01-01"}]}]
    duty = await on_duty(schedules=later)
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["tel-bruno"] == [0]
    relay = duty.phones["tel-bruno"].told[-1].facts.relay
    assert relay is not None
    assert (relay.step, relay.steps, relay.nobody) == (2, 3, (1,))
    await duty.run(11)
    assert duty.heard()["tel-bruno"] == [0]
    assert duty.heard()["tel-chloe"] == [10]


async def test_where_nobody_at_all_is_on_call_the_receivers_of_the_route_hear_it(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    later = [{"id": "primaire", "layers": [{"people": ["anne"], "start": "2027-01-01"}]}]
    duty = await on_duty(schedules=later, steps=[{"schedules": ["primaire"]}])
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["astreinte"] == [0]
    relay = duty.phones["astreinte"].told[-1].facts.relay
    assert relay is not None
    assert relay.nobody == (1,)


async def test_an_override_of_the_store_is_called(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    now = duty.town.now
    override = Override(
        id=0,
        schedule="primaire",
        person="chloe",
        starts_at=now - MINUTE,
        ends_at=now + 60 * MINUTE,
        actor="anne",
        created_at=now,
    )
    await store.write(lambda db: take_over(db, override, duty.roster, now=now))
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["tel-chloe"] == [0]
    assert duty.heard()["tel-anne"] == []


async def test_a_kill_between_the_timer_and_its_delivery_tells_each_once(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()
    for _ in range(12):
        duty.restart(after=MINUTE)
        await duty.town.work()
        await duty.escalate.step(duty.town.now)
    await duty.work()
    keys = [one.key for phone in duty.phones.values() for one in phone.told]
    told = [key for key in keys if "escalated" in key]
    assert told == ["I1-escalated-1", "I1-escalated-2", "I1-escalated-3"]


async def test_a_person_sleeps_through_a_warning_until_morning(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    people = [{**one, "quiet": "00:00-02:10"} for one in PEOPLE]  # 02:00 in Paris at the start
    duty = await on_duty(severity="warning", people=people)
    await duty.town.say("au secours")
    await duty.work(later=MINUTE)  # a warning waits half a minute for company
    assert duty.heard()["tel-anne"] == []
    await duty.run(10)
    assert duty.heard()["tel-anne"] == [10]
    assert duty.heard()["tel-bruno"] == [10]


async def test_who_sleeps_is_woken_for_what_is_critical(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    people = [{**one, "quiet": "22:00-07:00"} for one in PEOPLE]
    duty = await on_duty(severity="critical", people=people)
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["tel-anne"] == [0]


async def test_repeated_rounds_start_again_and_a_late_daemon_rings_once(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    policy = {"repeat": 2, "repeat_after": "5m"}
    duty = await on_duty(policy=policy)
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(16)
    assert duty.heard()["tel-anne"] == [0, 15]
    duty.restart(after=30 * MINUTE)
    await duty.work()
    heard = duty.heard()
    assert heard["tel-anne"] == [0, 15, 46]
    assert heard["tel-bruno"] == [5, 46]
    assert heard["tel-chloe"] == [10, 46]


async def test_a_muted_incident_calls_nobody_and_begins_again_after(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()

    async def mute(said: Mute | None) -> None:
        def change(db: Db) -> None:
            before = incidents.get(db, 1)
            assert before is not None
            incidents.save(db, replace(before, muted=said), expected_version=before.version)

        await store.write(change)

    await mute(Mute(kind=MuteKind.SILENCE, by="S1"))
    for _ in range(7):
        duty.town.now += MINUTE
        await duty.escalate.step(duty.town.now)
    await mute(None)
    await duty.work()
    assert duty.heard()["tel-anne"] == [0, 7]
    assert duty.heard()["tel-bruno"] == []


async def test_what_a_killed_process_was_sending_is_marked_as_possible_repeat(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()
    await duty.escalate.step(duty.town.now)
    lease = timedelta(minutes=2)
    await store.write(lambda db: outbox.claim(db, "tel-anne", now=duty.town.now, lease=lease))
    await store.write(outbox.release)  # the next start
    await duty.work(later=MINUTE)
    assert [one.may_repeat for one in duty.phones["tel-anne"].told] == [True]
    assert [one.may_repeat for one in duty.phones["astreinte"].told] == [False]


async def test_a_policy_that_is_new_to_an_old_incident_does_not_ring_all_steps_at_once(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()  # told, and no policy yet
    duty.restart(after=60 * MINUTE)
    await duty.work()
    assert duty.heard() == {"astreinte": [], "tel-anne": [60], "tel-bruno": [], "tel-chloe": []}
    await duty.run(11)
    heard = duty.heard()
    assert (heard["tel-bruno"], heard["tel-chloe"]) == ([65], [70])


async def test_a_short_outage_before_the_first_step_takes_no_time_from_the_next_one(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()
    duty.restart(after=4 * MINUTE)
    await duty.work()
    await duty.run(7)
    heard = duty.heard()
    assert (heard["tel-anne"], heard["tel-bruno"], heard["tel-chloe"]) == ([4], [5], [10])


async def test_who_is_on_call_is_told_even_where_quiet_hours_keep_the_opening_from_them(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.town.work()

    def owe(db: Db) -> None:
        before = incidents.get(db, 1)
        assert before is not None
        owing = replace(before, owed={"tel-anne": "opened"})
        incidents.save(db, owing, expected_version=before.version)

    await store.write(owe)
    await duty.escalate.step(duty.town.now)
    found = await store.read(lambda db: outbox.log(db, 1))
    assert "tel-anne" in [entry.receiver for entry in found]


async def _change(store: SqliteStore, **fields: object) -> None:
    def change(db: Db) -> None:
        before = incidents.get(db, 1)
        assert before is not None
        after = replace(before, version=before.version + 1, **fields)  # type: ignore[arg-type]
        incidents.save(db, after, expected_version=before.version)

    await store.write(change)


async def test_nobody_is_called_again_for_what_ended_under_its_mute(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await _change(store, muted=Mute(kind=MuteKind.SILENCE, by="S1"))
    await duty.escalate.step(duty.town.now)
    await _change(store, muted=None, quiet_since=duty.town.now)
    await duty.escalate.step(duty.town.now + 20 * MINUTE)
    log = await store.read(lambda db: outbox.log(db, 1))
    assert [e.receiver for e in log if e.kind is NotificationKind.ESCALATED] == ["tel-anne"]


async def test_what_comes_back_after_a_lull_is_escalated_again_if_nobody_took_it(
    on_duty: Callable[..., Awaitable[Duty]], store: SqliteStore
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(11)
    assert duty.heard()["tel-chloe"] == [10]
    await _change(store, quiet_since=duty.town.now)
    await duty.escalate.step(duty.town.now + MINUTE)
    assert duty.heard()["tel-anne"] == [0]
    await _change(store, quiet_since=None)
    await duty.work(later=MINUTE)
    assert duty.heard()["tel-anne"] == [0, 12]


async def test_a_clock_set_back_does_not_keep_the_next_relay_waiting(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    duty.restart(after=-90 * MINUTE)
    await duty.escalate.step(duty.town.now)
    for _ in range(6):
        duty.town.now += MINUTE
        await duty.escalate.step(duty.town.now)
    log = await duty.town.store.read(lambda db: outbox.log(db, 1))
    assert [e.receiver for e in log if e.kind is NotificationKind.ESCALATED] == [
        "tel-anne",
        "tel-bruno",
    ]


async def test_who_just_heard_of_the_opening_is_not_told_the_same_twice(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    people = [{"id": "anne", "receivers": ["astreinte", "tel-anne"]}, *PEOPLE[1:]]
    duty = await on_duty(people=people)
    await duty.town.say("au secours")
    await duty.work()
    assert [one.kind for one in duty.phones["astreinte"].told] == [NotificationKind.OPENED]
    assert duty.heard()["tel-anne"] == [0]


async def test_who_is_called_by_name_in_a_shared_channel_is_called_there_after_its_opening(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    people = [{**PEOPLE[0], "receivers": ["astreinte"]}, *PEOPLE[1:]]
    duty = await on_duty(people=people)
    await duty.town.say("au secours")
    await duty.work()
    assert duty.heard()["astreinte"] == [0]


async def test_an_acknowledgement_undone_lets_the_escalation_go_on_where_it_stood(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(4)
    await duty.work(later=timedelta(seconds=55))
    done = await duty.actions.acknowledge("I1", actor="Anne")
    await duty.work(later=timedelta(seconds=7))
    assert duty.heard()["tel-bruno"] == []
    await duty.actions.undo(done.id or 0, actor="Anne")
    await duty.work()
    assert [round(at, 2) for at in duty.heard()["tel-bruno"]] == [5.03]
    await duty.run(6)
    assert [round(at) for at in duty.heard()["tel-chloe"]] == [10]
    found = await duty.town.store.read(lambda db: incidents.get(db, 1))
    assert found is not None
    assert (found.state, found.assignee) == ("open", None)


async def test_a_relay_dropped_for_an_acknowledgement_goes_out_once_that_is_undone(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(4)
    duty.town.now += MINUTE
    while await duty.escalate.step(duty.town.now):
        pass
    done = await duty.actions.acknowledge("I1", actor="Anne")
    await duty.work(later=timedelta(seconds=2))
    assert duty.heard()["tel-bruno"] == []
    await duty.actions.undo(done.id or 0, actor="Anne")
    await duty.work()
    assert duty.heard()["tel-bruno"] == [5.0]


async def test_an_undo_of_what_left_it_open_does_not_wind_its_escalation_back(
    on_duty: Callable[..., Awaitable[Duty]],
) -> None:
    duty = await on_duty()
    await duty.town.say("au secours")
    await duty.work()
    await duty.run(4)
    await duty.work(later=timedelta(seconds=55))
    done = await duty.actions.assign("I1", to="Bruno", actor="Anne")
    await duty.work(later=timedelta(seconds=7))  # meanwhile the second relay is called
    assert len(duty.heard()["tel-bruno"]) == 1
    stood = await duty.town.store.read(lambda db: escalations.get(db, 1))
    await duty.actions.undo(done.id or 0, actor="Anne")
    assert await duty.town.store.read(lambda db: escalations.get(db, 1)) == stood
    await duty.work()
    await duty.run(1)
    assert len(duty.heard()["tel-bruno"]) == 1
    events = await duty.town.store.read(lambda db: timeline.whole(db, "I1"))
    assert [event.kind for event in events].count("incident.escalated") == 2
