"""Links in mails: looking takes nothing, the button does, in one person's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.access import Role
from veille.domain.alert import Severity
from veille.domain.incident import Incident, IncidentState
from veille.domain.notification import Facts
from veille.store import incidents, users
from veille.web.links import link_key, read, token
from veille.web.ports import LinkDesk
from veille.web.site import SITE

if TYPE_CHECKING:
    from conftest import Browser, Town

DESK = LinkDesk(
    key=link_key(b"un secret de seize octets au moins"),
    lifetime=timedelta(hours=72),
    owners={"camille-mail": "Camille", "dominique-mail": "Dominique", "courriel": None},
)
SAME_SITE = {"headers": {"Sec-Fetch-Site": "same-origin"}}


def facts(incident: Incident, town: Town) -> Facts:
    return Facts(
        incident=incident.id,
        title=incident.title,
        severity=Severity.CRITICAL,
        state=incident.state,
        at=town.clock.now,
        opened_at=incident.opened_at,
        rule="flood_distress",
        value=12,
        threshold=3,
        author_count=11,
    )


@pytest.fixture
async def link(town: Town) -> str:
    """The path in the mail to Camille."""
    town.app._state[SITE] = replace(town.app[SITE], links=DESK)
    return await path(town, "camille-mail")


async def path(town: Town, receiver: str) -> str:
    return "/l/" + token(facts(await state(town), town), receiver=receiver, desk=DESK)


async def state(town: Town) -> Incident:
    found = await town.store.read(lambda db: incidents.get(db, 1))
    assert found is not None
    return found


async def test_a_scanner_that_looks_at_everything_takes_nothing(
    town: Town, stranger: Browser, link: str
) -> None:
    for method in ("GET", "HEAD", "GET", "OPTIONS"):
        await stranger.ask(method, link)
    await stranger.get(link, headers={"Purpose": "prefetch", "Sec-Purpose": "prefetch"})
    assert (await state(town)).state is IncidentState.OPEN


async def test_the_page_says_what_is_taken_in_whose_name_and_hides_itself(
    stranger: Browser, link: str
) -> None:
    page = await stranger.get(link)
    assert page.status == 200
    assert "Inondation, appels à l&#39;aide" in page.text
    assert "Ce lien agit au nom de Camille" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert page.headers["Cache-Control"] == "no-store"


async def test_the_button_takes_it_for_the_person_of_the_receiver(
    town: Town, stranger: Browser, link: str
) -> None:
    page = await stranger.post(link, {})
    assert "C'est fait : vous avez pris I1 en charge." in page.text.replace("&#39;", "'")
    assert (await state(town)).acknowledged_by == "Camille"
    again = await stranger.post(link, {})
    assert again.status == 200
    assert (await state(town)).acknowledged_by == "Camille"


async def test_who_comes_second_is_told_who_was_faster(
    town: Town, stranger: Browser, link: str
) -> None:
    await town.app[SITE].actions.acknowledge("I1", actor="Sacha")
    answer = await stranger.post(link, {})
    assert answer.status == 409
    assert "Sacha l&#39;a pris en charge" in answer.text


@pytest.mark.parametrize("receiver", ["courriel", "dominique-mail"])
async def test_a_shared_mailbox_or_a_reader_must_sign_in(
    town: Town, stranger: Browser, link: str, receiver: str
) -> None:
    shared = await path(town, receiver)
    page = await stranger.get(shared)
    assert "connectez-vous pour prendre l&#39;incident en charge" in page.text
    assert f'action="{shared}"' not in page.text
    assert (await stranger.post(shared, {})).status == 403
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_person_who_lost_the_account_acts_no_more(
    town: Town, stranger: Browser, link: str
) -> None:
    await town.store.write(lambda db: users.set_role(db, "Camille", Role.READER))
    assert (await stranger.post(link, {})).status == 403
    await town.store.write(lambda db: users.disable(db, "Camille", now=town.clock.now))
    assert (await stranger.post(link, {})).status == 403
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_link_ends_after_its_time(town: Town, stranger: Browser, link: str) -> None:
    town.clock.advance(hours=71, minutes=59)
    assert (await stranger.get(link)).status == 200
    town.clock.advance(minutes=1)
    assert (await stranger.get(link)).status == 410
    assert (await stranger.post(link, {})).status == 410
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_link_of_another_installation_acts_on_no_namesake(
    town: Town, stranger: Browser, link: str
) -> None:
    old = replace(facts(await state(town), town), opened_at=town.clock.now - timedelta(days=2))
    answer = await stranger.post("/l/" + token(old, receiver="camille-mail", desk=DESK), {})
    assert answer.status == 410
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_form_on_another_site_cannot_press_the_button(
    town: Town, stranger: Browser, link: str
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert (await stranger.post(link, {}, headers=headers)).status == 403
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_program_that_posts_what_it_finds_takes_nothing(
    town: Town, stranger: Browser, link: str
) -> None:
    assert (await stranger.post(link, {}, headers={})).status == 403
    assert (await state(town)).state is IncidentState.OPEN


async def test_a_browser_over_plain_http_that_names_only_a_null_origin_is_one(
    town: Town, stranger: Browser, link: str
) -> None:
    assert (await stranger.post(link, {}, headers={"Origin": "null"})).status == 200
    assert (await state(town)).acknowledged_by == "Camille"


async def test_guessing_is_throttled_and_leaves_good_links_alone(
    town: Town, stranger: Browser, link: str
) -> None:
    statuses = [(await stranger.get(f"/l/{'A' * 66}")).status for _ in range(22)]
    assert statuses == [404] * 20 + [429] * 2
    assert (await stranger.get(link)).status == 200


async def test_the_address_names_nobody_and_stays_the_same_for_a_repeated_mail(
    town: Town, link: str
) -> None:
    assert link == await path(town, "camille-mail")
    assert "amille" not in link
    assert len(link) == 3 + 66


async def test_nothing_to_take_makes_no_link(town: Town, link: str) -> None:
    taken = replace(facts(await state(town), town), state=IncidentState.ACKNOWLEDGED)
    assert token(taken, receiver="camille-mail", desk=DESK) == ""
    assert token(facts(await state(town), town), receiver="slack", desk=DESK) == ""


@given(st.text(max_size=120) | st.from_regex(r"[A-Za-z0-9_-]{66}", fullmatch=True))
def test_no_text_but_ours_is_a_ticket(text: str) -> None:
    assert read(text, desk=DESK) is None


@given(at=st.integers(0, 65), by=st.characters(codec="ascii"))
def test_a_changed_token_is_none(at: int, by: str) -> None:
    good = "".join(chr(c) for c in GOOD)
    changed = good[:at] + by + good[at + 1 :]
    ticket = read(changed, desk=DESK)
    # the last character carries four bits that no byte has: they may differ
    assert ticket is None or changed[:65] == good[:65]


def _good() -> bytes:
    from datetime import UTC, datetime

    at = datetime(2026, 1, 18, 1, 16, tzinfo=UTC)
    one = Facts(
        incident=12, title="t", severity=Severity.INFO, state=IncidentState.OPEN, at=at,
        opened_at=at, rule="r", value=1, threshold=1, author_count=1,
    )  # fmt: skip
    return token(one, receiver="courriel", desk=DESK).encode()


GOOD = _good()


def test_a_key_of_another_secret_reads_nothing() -> None:
    other = replace(DESK, key=link_key(b"un autre secret de seize octets"))
    assert read(GOOD.decode(), desk=DESK) is not None
    assert read(GOOD.decode(), desk=other) is None
