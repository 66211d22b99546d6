"""Buttons and the command, from a Slack that signs as Slack does, to a real store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp
import pytest

from servers.plain import plain
from veille.demo.slack_people import SlackPeople, sign
from veille.domain.errors import StoreError
from veille.domain.incident import IncidentState, Verdict
from veille.store import incidents, timeline, users, verdicts
from veille.web.ports import SlackDesk
from veille.web.site import SITE

if TYPE_CHECKING:
    from conftest import Town
    from veille.domain.incident import Incident

CHANNEL = "C0000000001"
CAMILLE, SACHA, DOMINIQUE = "U0CAMILLE", "U0SACHA", "U0DOMINIQUE"


@dataclass
class Ear:
    """Keeps what single people are told, or is full."""

    said: list[tuple[str, str]] = field(default_factory=list)
    is_full: bool = False

    def offer(self, *, receiver: str, channel: str, user: str, text: str) -> bool:
        assert (receiver, channel) == ("astreinte", CHANNEL)
        self.said.append((user, plain(text)))
        return not self.is_full


@dataclass
class Channel:
    """The channel with I1's message as it was posted."""

    town: Town
    people: SlackPeople
    ear: Ear

    async def incident(self) -> Incident:
        found = await self.town.store.read(lambda db: incidents.get(db, 1))
        assert found is not None
        return found

    async def press(self, verb: str, *, user: str = CAMILLE, seen: int = 0) -> int:
        opened = int((await self.incident()).opened_at.timestamp())
        value = f"I1 astreinte {opened} {seen}"
        return await self.people.send_press(
            user=user, channel=CHANNEL, action=f"veille_{verb}", value=value
        )

    async def events(self) -> list[str]:
        found = await self.town.store.read(lambda db: timeline.of(db, "I1"))
        return [event.kind for event in found]


@pytest.fixture
async def channel(town: Town) -> Channel:
    people = SlackPeople(now=town.clock)
    people.address = town.url
    ear = Ear()
    members = {CAMILLE: "Camille", SACHA: "Sacha", DOMINIQUE: "Dominique", "U0PERDU": "Perdu"}
    desk = SlackDesk(signing_secret=people.signing_secret, members=members, whispers=ear)
    town.app._state[SITE] = replace(town.app[SITE], slack=desk)
    return Channel(town, people, ear)


async def test_take_is_done_in_the_name_of_who_pressed(channel: Channel) -> None:
    assert await channel.press("take") == 200
    incident = await channel.incident()
    assert (incident.state, incident.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "Camille")
    assert channel.ear.said == []


async def test_of_two_who_press_one_wins_and_the_other_is_told_who(channel: Channel) -> None:
    await channel.press("take")
    await channel.press("take", user=SACHA)
    assert (await channel.incident()).acknowledged_by == "Camille"
    assert channel.ear.said == [
        (SACHA, "Camille l'a pris en charge à 02:16. Votre action n'a rien remplacé.")
    ]


async def test_of_two_who_take_it_for_themselves_the_second_replaces_nobody(
    channel: Channel,
) -> None:
    await channel.press("assign")
    await channel.press("assign", user=SACHA)
    assert (await channel.incident()).assignee == "Camille"
    assert [user for user, _ in channel.ear.said] == [SACHA]


@pytest.mark.parametrize("verb", ["take", "assign", "mute", "false_alarm", "close"])
async def test_a_button_left_on_a_resolved_incident_changes_nothing(
    channel: Channel, verb: str
) -> None:
    await channel.press("close")
    before, events = await channel.incident(), await channel.events()
    assert await channel.press(verb, user=SACHA, seen=before.touched) == 200
    assert (await channel.incident(), await channel.events()) == (before, events)
    (told,) = channel.ear.said
    assert told == (SACHA, "I1 est déjà clos : rien n'a changé. Camille l'a clos à 02:16.")


async def test_a_false_alarm_is_resolved_and_its_rule_judged(channel: Channel) -> None:
    await channel.press("false_alarm")
    assert (await channel.incident()).state is IncidentState.RESOLVED
    since = channel.town.clock.now - timedelta(days=1)
    judged = await channel.town.store.read(lambda db: verdicts.by_rule(db, since=since))
    assert judged["flood_distress"].precision == 0.0
    assert (await channel.events())[-2:] == ["incident.judged", "incident.resolved"]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("U0INCONNU", 'slack = "U0INCONNU"'),
        (DOMINIQUE, "Votre rôle permet de lire, pas d'agir."),
        ("U0PERDU", "Perdu n'a pas de compte actif"),
    ],
)
async def test_who_may_not_act_is_told_what_to_do_and_nothing_changes(
    channel: Channel, user: str, says: str
) -> None:
    before = await channel.incident()
    assert await channel.press("take", user=user) == 200
    assert await channel.incident() == before
    assert says in channel.ear.said[0][1]


async def test_a_disabled_user_acts_no_more(channel: Channel) -> None:
    store, now = channel.town.store, channel.town.clock.now
    await store.write(lambda db: users.disable(db, "Camille", now=now))
    await channel.press("take")
    assert (await channel.incident()).state is IncidentState.OPEN


async def test_the_button_of_an_incident_of_before_acts_on_no_other(channel: Channel) -> None:
    value = "I1 astreinte 1600000000 0"
    await channel.people.send_press(
        user=CAMILLE, channel=CHANNEL, action="veille_take", value=value
    )
    assert (await channel.incident()).state is IncidentState.OPEN
    assert channel.ear.said == [(CAMILLE, "Cet incident n'existe plus ici : rien n'a changé.")]


async def test_view_is_acknowledged_and_says_nothing(channel: Channel) -> None:
    assert await channel.press("open", user="U0INCONNU") == 200
    assert channel.ear.said == []


async def test_a_store_that_hangs_is_answered_in_time_and_said(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(target: str, *, actor: str, version: int | None = None) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("veille.web.slack.ANSWER_S", 0.5)
    monkeypatch.setattr(channel.town.app[SITE].actions, "acknowledge", hang)
    assert await channel.press("take") == 200
    assert channel.ear.said[0][1].startswith("veille répond lentement.")


@pytest.mark.parametrize("error", [StoreError("the disk is full"), None])
async def test_a_command_is_answered_in_time_whatever_the_store_does(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, error: StoreError | None
) -> None:
    async def fail(request: object, text: str) -> str:
        if error is not None:
            raise error
        await asyncio.Event().wait()
        return text

    monkeypatch.setattr("veille.web.slack.ANSWER_S", 0.5)
    monkeypatch.setattr("veille.web.slack_status.answer", fail)
    said = await channel.people.command("", user=CAMILLE)
    assert plain(said) == "veille répond lentement : réessayez dans une minute."


async def send(town: Town, body: bytes, headers: dict[str, str], path: str = "actions") -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{town.url}/slack/{path}", data=body, headers=headers) as answer,
    ):
        return answer.status


BODY = urlencode({"payload": '{"type":"block_actions","user":{"id":"U0CAMILLE"}}'}).encode()


async def test_only_a_fresh_signature_over_this_body_passes_and_once(channel: Channel) -> None:
    town, secret = channel.town, channel.people.signing_secret
    good = sign(BODY, secret=secret, at=town.clock.now)
    late = sign(BODY, secret=secret, at=town.clock.now - timedelta(seconds=301))
    early = sign(BODY, secret=secret, at=town.clock.now + timedelta(seconds=301))
    kind = {"Content-Type": good["Content-Type"]}
    refused = [
        await send(town, BODY, sign(BODY, secret="other", at=town.clock.now)),
        await send(town, BODY + b"&a=b", good),
        await send(town, BODY, late),
        await send(town, BODY, early),
        await send(town, BODY, kind),
        await send(town, BODY, {**good, "X-Slack-Request-Timestamp": "soon"}),
        await send(town, BODY, {**good, "X-Slack-Signature": "v0=é"}),
        await send(town, b"\xff\xfe", good),
    ]
    assert refused == [401] * len(refused)
    assert await send(town, BODY, good) == 200
    assert await send(town, BODY, good) == 409
    assert await send(town, BODY, good, path="commands") == 409


@pytest.mark.parametrize(
    "payload",
    [
        "", "[]", "nonsense", '{"type":"view_submission"}', '{"type":1,"user":{"id":"U1"}}',
        pytest.param('{"type":' + "[" * 50_000, id="nested without end"),
        pytest.param('{"more":' + "[" * 50_000, id="nested without end where nobody looks"),
    ],
)  # fmt: skip
async def test_a_signed_payload_of_another_kind_does_nothing(
    channel: Channel, payload: str
) -> None:
    status, _ = await channel.people.post("actions", {"payload": payload})
    assert status == 400
    assert (await channel.incident()).state is IncidentState.OPEN


async def test_large_or_foreign_bodies_are_refused_before_they_are_read(channel: Channel) -> None:
    town, secret = channel.town, channel.people.signing_secret
    large = b"a=" + b"x" * (257 * 1024)
    headers = sign(large, secret=secret, at=town.clock.now)
    assert await send(town, large, headers) == 413
    assert await send(town, b"{}", {**headers, "Content-Type": "application/json"}) == 415


async def test_without_a_signing_secret_there_is_no_such_address(town: Town) -> None:
    headers = sign(BODY, secret="any", at=town.clock.now)
    assert await send(town, BODY, headers) == 404
    assert await send(town, BODY, headers, path="commands") == 404


async def test_the_command_tells_how_things_stand(channel: Channel) -> None:
    said = await channel.people.command("", user=DOMINIQUE)
    assert said.startswith("Incidents\n• ▲ Critique · I1 · Inondation, appels à l'aide · il y a 2")
    assert "Personne ne l'a pris en charge." in said
    assert "En silence\n• Rien n'est en silence." in said
    assert "• Source en échec : mastodon" in said or "• Source jamais lue" in said


async def test_the_command_explains_itself_and_answers_no_stranger(channel: Channel) -> None:
    assert "/veille" in await channel.people.command("aide", user=CAMILLE)
    nonsense = await channel.people.command("<!channel> rm -rf", user=CAMILLE)
    assert nonsense.startswith("veille ne connaît pas ce mot.")
    assert "<!" not in nonsense
    refusal = await channel.people.command("", user="U0INCONNU")
    assert "[[person]]" in refusal
    assert "Inondation" not in refusal


async def test_a_verdict_does_not_make_the_next_press_stale(channel: Channel) -> None:
    actions = channel.town.app[SITE].actions
    await actions.judge("I1", verdict=Verdict.TRUE_ALERT, actor="Sacha")
    await channel.press("close")
    assert (await channel.incident()).resolved_by == "Camille"
