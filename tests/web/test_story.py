"""The main courante of a long night: what veille repeats is one line, what people do is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from servers.plain import plain
from veille.domain.incident import Event
from veille.web.incident_page import _apart
from veille.web.story import story
from veille.web.words import Words
from veille.wording.catalogue import catalogue

START = datetime(2026, 1, 17, 19, 41, tzinfo=UTC)
NAMES = {"urgent_mention": "Appel à l'aide", "burst": "Afflux d'appels"}


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def alert(minutes: int, state: str, *, rule: str = "urgent_mention", limit: float = 1) -> Event:
    data = {"rule": rule, "alert": f"print-{rule}", "value": 3, "threshold": limit}
    return Event(target="I5", at=at(minutes), kind=f"alert.{state}", data=data)


def sent(minutes: int, to: str) -> Event:
    return Event(target="I5", at=at(minutes), kind="notification.sent", data={"receiver": to})


def noted(minutes: int) -> Event:
    return Event(target="I5", at=at(minutes), kind="note", actor="Camille", text="vu")


def told(*events: Event, since: datetime | None = None) -> list[Any]:
    words = Words(say=catalogue("fr"), timezone=ZoneInfo("Europe/Paris"), now=at(900))
    lines, _ = story(events, [], {}, [], words, names=NAMES, since=since)
    return lines


def test_an_alert_says_its_name_and_when_it_ended_on_one_line() -> None:
    (line,) = told(alert(0, "firing"), alert(15, "resolved"))
    assert plain(line.text) == "Alerte « Appel à l'aide », jusqu'à 20:56"
    assert (line.at, line.details) == (at(0), [])


def test_an_alert_that_goes_on_says_no_end_and_a_count_its_limit() -> None:
    (line,) = told(alert(0, "firing", rule="burst", limit=3))
    assert plain(line.text) == "Alerte « Afflux d'appels » (3 ; seuil : 3)"


def test_alerts_that_come_and_go_are_one_line_with_each_of_them_on_demand() -> None:
    pairs = [alert(30 * n + more, kind) for n in range(5) for more, kind in
             ((0, "firing"), (15, "resolved"))]  # fmt: skip
    (line,) = told(*pairs)
    assert plain(line.text) == "Alerte « Appel à l'aide » : 5 fois, de 20:41 à 22:56"
    assert len(line.details) == 5
    assert line.details[1] == "de 21:11 à 21:26"


def test_one_that_lasts_is_told_as_lasting() -> None:
    (line,) = told(alert(0, "firing"), alert(15, "resolved"), alert(30, "firing"))
    assert plain(line.text) == "Alerte « Appel à l'aide » : 2 fois depuis 20:41"
    assert line.details == ["de 20:41 à 20:56", "depuis 21:11"]


def test_waiting_for_confirmation_is_told_only_while_nothing_came_of_it() -> None:
    (line,) = told(alert(0, "pending"), alert(1, "firing"))
    assert plain(line.text) == "Alerte « Appel à l'aide »"
    (line,) = told(alert(0, "pending"))
    assert plain(line.text).startswith("Alerte en attente de confirmation : Appel à l'aide")


def test_notifications_in_a_row_are_one_line_by_receiver() -> None:
    (line,) = told(sent(0, "astreinte"), sent(0, "courriel"))
    assert plain(line.text) == "Notification envoyée : astreinte, courriel"
    (line,) = told(*(sent(n, to) for n in range(20) for to in ("astreinte", "courriel")))
    said = "Notifications envoyées de 20:41 à 21:00 : astreinte (20), courriel (20)"
    assert plain(line.text) == said
    assert len(line.details) == 40
    (line,) = told(sent(0, "astreinte"), sent(0, "courriel"), sent(0, "courriel"))
    assert plain(line.text) == "Notification envoyée : astreinte (1), courriel (2)"


def test_a_person_s_line_stands_between_what_came_before_and_after() -> None:
    lines = told(sent(0, "courriel"), noted(1), sent(2, "courriel"))
    assert [line.kind for line in lines] == ["event", "note", "event"]


def test_what_is_new_is_no_part_of_what_was_read() -> None:
    lines = told(alert(0, "firing"), alert(1, "resolved"), alert(30, "firing"),
                 alert(31, "resolved"), since=at(20))  # fmt: skip
    assert [line.is_new for line in lines] == [False, True]


def test_an_end_whose_beginning_is_not_told_stands_alone() -> None:
    (line,) = told(alert(15, "resolved"))
    assert plain(line.text) == "Alerte terminée : Appel à l'aide"


def test_a_rule_without_a_name_keeps_its_id() -> None:
    (line,) = told(alert(0, "firing", rule="ours"))
    assert plain(line.text) == "Alerte « ours »"


def test_a_place_is_said_once_however_it_is_written() -> None:
    written = ["barrage de la roche, st aubin", "st aubin", "BARRAGE DE LA ROCHE, Saint Aubin",
               "rue du Lavoir", "14 rue du Lavoir", "Saint-Aubin", "rue du Lavoir"]  # fmt: skip
    assert list(_apart(written, "Saint-Aubin")) == [
        "barrage de la roche, st aubin",
        "14 rue du Lavoir",
    ]
