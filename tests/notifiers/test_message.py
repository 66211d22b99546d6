from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.plain import plain
from veille.domain.alert import Baseline, BaselineKind, Condition, Severity
from veille.domain.card import Card, Count, Hazard, Need, Slot, Span, Vulnerable
from veille.domain.coordination import Coordination
from veille.domain.incident import IncidentState, Reach
from veille.domain.notification import Facts, Notification, NotificationKind, Quote
from veille.notifiers.message import Line, Voice, compose
from veille.wording.card import card_words
from veille.wording.catalogue import catalogue

Note = Callable[..., Notification]
Flood = Callable[..., Facts]
Speak = Callable[..., Voice]
AT = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
VOICE = Voice(words=catalogue("fr"), zone=ZoneInfo("Europe/Paris"))

DOCUMENTS = {NotificationKind.WEEKLY, NotificationKind.DIGEST, NotificationKind.TRIAL}


@pytest.mark.parametrize(
    ("probability", "ends"),
    [
        (0.90, "· certain"),
        (0.8999, "· probable"),
        (0.70, "· probable"),
        (0.69, "· incertain"),
        (0.5, "· incertain"),
        (0.16, "· à vérifier"),
        (None, "depuis 02:05"),
    ],
)
def test_doubt_is_said_in_words(
    note: Note, flood: Flood, voice: Speak, probability: float | None, ends: str
) -> None:
    message = compose(note(facts=flood(certainty=probability)), voice=voice(), quotes=True)
    assert message.counts.endswith(ends)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        (
            {"value": 1, "mention_count": 1, "author_count": 1, "window": None, "usual": None},
            "1 message d'une seule personne · depuis 02:05",
        ),
        ({"author_count": 0}, "12 messages en 15 min (d'habitude : 0) · depuis 02:05"),
        (
            {"value": 1, "author_count": 20, "mention_count": 20},
            "un même message de 20 personnes en 15 min (d'habitude : 0) · depuis 02:05",
        ),
        (
            {"value": 3, "author_count": 20, "mention_count": 21},
            "3 messages différents de 20 personnes en 15 min (d'habitude : 0) · depuis 02:05",
        ),
        (
            {"value": 1500, "usual": 0.42, "window": timedelta(hours=1, minutes=30)},
            "1 500 messages de 11 personnes en 1 h 30 (d'habitude : 0,4) · depuis 02:05",
        ),
    ],
)
def test_what_is_not_known_is_not_said(
    note: Note, flood: Flood, voice: Speak, changes: dict[str, Any], counts: str
) -> None:
    facts = flood(**({"certainty": None} | changes))
    assert plain(compose(note(facts=facts), voice=voice(), quotes=True).counts) == counts


def test_a_spike_says_what_was_usual_and_its_bound(note: Note, flood: Flood, voice: Speak) -> None:
    known = Baseline(kind=BaselineKind.PREVIOUS, points=12, expected=5.0)
    facts = flood(value=18, threshold=7.1213, usual=5.0, baseline=known, certainty=None)
    message = compose(note(facts=facts), voice=voice(), quotes=True)
    assert "(d'habitude : 5)" in plain(message.counts)
    assert "18 messages en 15 min, seuil 7,12" in plain(why(message.lines))


def test_why_says_what_the_rule_asked_with_what_is_counted_now(
    note: Note, flood: Flood, voice: Speak
) -> None:
    asked = (
        Condition(name="count", value=3, threshold=3),
        Condition(name="authors", value=2, threshold=2),
    )
    notes = {"runbook": "https://fiche.example/crue", "summary": "Appels à l'aide"}
    facts = flood(conditions=asked, annotations=notes)
    lines = compose(note(facts=facts), voice=voice(), quotes=True).lines
    said = {plain(line.label): plain(line.text) for line in lines}
    assert said["Pourquoi :"].startswith("12 messages en 15 min (seuil : 3), 11 auteurs distincts")
    assert said["Pourquoi :"].endswith(", règle « Appels à l'aide »")
    assert said["Fiche réflexe :"] == "https://fiche.example/crue"


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, "71 messages de 54 personnes depuis 01:05, dont 12 depuis 15 min (d'habitude : 0)"),
        (
            {"value": 1, "mention_count": 20},
            "71 messages de 54 personnes depuis 01:05, dont 20 depuis 15 min, tous pareils",
        ),
        ({"is_counting": False}, "71 messages de 54 personnes depuis 01:05"),
        (
            {"state": IncidentState.RESOLVED, "at": AT + timedelta(hours=2)},
            "71 messages de 54 personnes en 3 h 09",
        ),
    ],
)
def test_one_number_leads_and_what_the_rule_counts_is_a_part_of_it(
    note: Note, flood: Flood, voice: Speak, changes: dict[str, Any], counts: str
) -> None:
    first_at = datetime(2026, 1, 18, 0, 5, tzinfo=UTC)
    reach = Reach(messages=71, authors=54, followers=300, first_at=first_at)
    message = compose(note(facts=flood(reach=reach, **changes)), voice=voice(), quotes=True)
    assert plain(message.counts).removesuffix(" · certain") == counts


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (12, "71 messages de 54 personnes depuis 02:05"),  # not « dont 12 depuis 15 min »
        (71, "71 messages de 11 personnes en 15 min · depuis 02:05"),
    ],
)
def test_what_came_lately_is_never_less_than_came(
    note: Note, flood: Flood, voice: Speak, counted: int, said: str
) -> None:
    first_at = datetime(2026, 1, 18, 1, 5, tzinfo=UTC)  # nine minutes ago
    reach = Reach(messages=71, authors=54, followers=300, first_at=first_at)
    facts = flood(reach=reach, value=counted, mention_count=counted, usual=None)
    counts = compose(note(facts=facts), voice=voice(), quotes=True).counts
    assert plain(counts).removesuffix(" · certain") == said


def test_followers_are_no_messages(note: Note, flood: Flood, voice: Speak) -> None:
    measured = (Condition(name="reach", value=1_060_000, threshold=60_000),)
    facts = flood(value=1_060_000, mention_count=14, usual=None, conditions=measured)
    counts = compose(note(facts=facts), voice=voice(), quotes=True).counts
    assert plain(counts).startswith("14 messages de 11 personnes en 15 min")


def test_a_short_history_is_said(note: Note, flood: Flood, voice: Speak) -> None:
    cold = Baseline(kind=BaselineKind.SEASONAL, points=2, is_cold=True)
    facts = flood(threshold=10, usual=None, baseline=cold)
    message = compose(note(facts=facts), voice=voice(), quotes=True)
    assert "(peu d'historique)" in message.counts
    assert "peu d'historique : seuil fixe de 10" in plain(why(message.lines))


def why(lines: tuple[Line, ...]) -> str:
    return next(line.text for line in lines if plain(line.label) == "Pourquoi :")


def test_an_incident_of_yesterday_says_its_day(note: Note, flood: Flood, voice: Speak) -> None:
    facts = flood(opened_at=flood().at - timedelta(hours=3))
    message = compose(note(facts=facts), voice=voice(), quotes=True)
    assert "depuis sam. 17 janv. 23:14" in plain(message.counts)


@pytest.mark.parametrize(
    ("severity", "word"),
    [
        (Severity.CRITICAL, "▲ Critique"),
        (Severity.WARNING, "◆ Attention"),
        (Severity.INFO, "● Info"),
    ],
)
def test_severity_is_a_word_and_a_shape(
    note: Note, flood: Flood, voice: Speak, severity: Severity, word: str
) -> None:
    message = compose(note(facts=flood(severity=severity)), voice=voice(), quotes=True)
    assert message.headline.startswith(f"{word} · ")


@pytest.mark.parametrize(
    ("kind", "changes", "state", "news"),
    [
        ("updated", {"assignee": "Camille"}, "Confié à Camille.", "02:14 · 12 messages"),
        (
            "assigned",
            {"assignee": "Camille", "actor": "Dominique"},
            "Confié à Camille.",
            "Confié à Camille à 02:14.",
        ),
        (
            "assigned",
            {"assignee": None, "actor": "Dominique"},
            "Personne ne l'a pris en charge.",
            "Rendu à l'équipe à 02:14.",
        ),
        (
            "acknowledged",
            {"state": IncidentState.ACKNOWLEDGED, "actor": "Camille"},
            "Pris en charge par Camille.",
            "Pris en charge par Camille à 02:14.",
        ),
        (
            "resolved",
            {"state": IncidentState.RESOLVED, "actor": "veille", "assignee": "Camille"},
            "Résolu à 02:14.",
            "Résolu à 02:14.",
        ),
        (
            "resolved",
            {"state": IncidentState.RESOLVED, "actor": "Camille"},
            "Résolu à 02:14 par Camille.",
            "Résolu à 02:14 par Camille.",
        ),
        (
            "merged",
            {"state": IncidentState.RESOLVED, "actor": "Camille", "merged_into": 7},
            "Réuni à I7 par Camille à 02:14.",
            "Réuni à I7 par Camille à 02:14",
        ),
        (
            "reopened",
            {"actor": "Camille"},
            "Personne ne l'a pris en charge.",
            "Rouvert par Camille à 02:14",
        ),
    ],
)
def test_state_says_who_has_it_and_news_what_changed(
    note: Note,
    flood: Flood,
    voice: Speak,
    kind: str,
    changes: dict[str, Any],
    state: str,
    news: str,
) -> None:
    whole = note(NotificationKind(kind), facts=flood(**changes))
    message = compose(whole, voice=voice(), quotes=True)
    assert message.state == state
    assert plain(message.news).startswith(news)


def test_a_reminder_says_so_in_the_subject(note: Note, voice: Speak) -> None:
    message = compose(note(NotificationKind.REPEATED), voice=voice(), quotes=True)
    assert message.subject.startswith("Rappel · ▲ Critique · ")
    assert message.subject.endswith(" · 02:14")


def test_lines_without_content_are_left_out(note: Note, flood: Flood, voice: Speak) -> None:
    bare = note(facts=flood(annotations={}), places=(), quotes=())
    lines = compose(bare, voice=voice(), quotes=True).lines
    assert [plain(line.label) for line in lines] == ["Pourquoi :"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_kind_state_and_severity_has_its_words(
    note: Note, flood: Flood, voice: Speak, language: str
) -> None:
    for kind in set(NotificationKind) - DOCUMENTS:
        for state in IncidentState:
            for severity in Severity:
                facts = flood(state=state, severity=severity, actor=None)
                message = compose(note(kind, facts=facts), voice=voice(language), quotes=True)
                assert message.news
                assert message.subject


hostile = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)


@given(text=hostile)
def test_hostile_text_anywhere_gives_single_lines(text: str) -> None:
    facts = Facts(
        incident=1,
        title=text,
        severity=Severity.INFO,
        state=IncidentState.OPEN,
        at=AT,
        opened_at=AT,
        rule=text,
        value=1,
        threshold=1,
        author_count=1,
        annotations={"actions": text},
        assignee=text,
        actor=text,
    )
    whole = Notification(
        key=text,
        kind=NotificationKind.ASSIGNED,
        facts=facts,
        institution=text,
        link=text,
        quotes=(Quote(text=text, source=text, at=AT),),
        places=(text,),
    )
    message = compose(whole, voice=VOICE, quotes=True)
    for line in strings(message):
        assert len(line.splitlines()) <= 1
        assert not set(line) & set("\u202a\u202e\u2066\u200b\x00\x1b\x7f\ufeff")
        line.encode("utf-8")  # no lone surrogate


def strings(message: Any) -> list[str]:
    values = [getattr(message, field.name) for field in dataclasses.fields(message)]
    flat = [value for value in values if isinstance(value, str)]
    nested = [part for value in values if isinstance(value, tuple) for part in value]
    return flat + [
        text
        for part in nested
        for text in ((part.label, part.text) if isinstance(part, Line) else (part.text,))
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("au secours " * 6000, "au secours " * 25 + "au…"),
        ("x" * 60_000, "x" * 279 + "…"),
        (" " * 60_000 + "à l'aide", "à l'aide"),
        ("👩\u200d🚒 à l'aide", "👩\u200d🚒 à l'aide"),
        ("caché\u202e\x00", "caché⟨U+202E⟩⟨U+0000⟩"),
    ],
)
def test_a_quote_is_short_and_hides_nothing(
    note: Note, voice: Speak, text: str, shown: str
) -> None:
    quoted = note(quotes=(Quote(text=text, source="s", at=AT),))
    assert compose(quoted, voice=voice(), quotes=True).quotes[0].text == shown


def spanned(text: str) -> tuple[Span, ...]:
    return (Span(text=text, start=0, end=len(text)),)


CARD = Card(
    hazard=Slot(value=Hazard.FLOOD, spans=spanned("l'eau monte")),
    places=spanned("12 rue du Lavoir"),
    people=Slot(value=Count(number=3, is_approximate=False), spans=spanned("trois")),
    vulnerable=(Slot(value=Vulnerable.CHILDREN, spans=spanned("enfants")),),
    need=Slot(value=Need.RESCUE, spans=spanned("au secours")),
    time=Slot(value=AT - timedelta(minutes=20), spans=spanned("depuis 20 min")),
    has_media=True,
)
EMPTY = Card(
    hazard=None, places=(), people=None, vulnerable=(), need=None, time=None, has_media=False
)


def card_lines(card: Card, note: Note, *, quotes: bool = True) -> list[str]:
    """Return the lines that a card adds to a message."""
    bare = compose(note(), voice=VOICE, quotes=quotes).lines
    lines = compose(note(card=card), voice=VOICE, quotes=quotes).lines
    assert lines[len(lines) - len(bare) :] == bare
    return [plain(f"{line.label} {line.text}") for line in lines[: len(lines) - len(bare)]]


def test_an_urgent_message_is_summed_up_in_three_lines_unverified(note: Note) -> None:
    assert card_lines(CARD, note) == [
        "Non vérifié, selon un message : inondation · 12 rue du Lavoir",
        "Personnes : 3 personnes (enfant) · secours",
        "Moment : « depuis 20 min », soit 01:54 · image ou vidéo jointe",
    ]


def test_what_a_card_does_not_know_takes_no_line(note: Note) -> None:
    assert card_lines(EMPTY, note) == []
    only = dataclasses.replace(EMPTY, need=CARD.need)
    assert card_lines(only, note) == ["Non vérifié, selon un message : secours"]
    vague: Slot[datetime | None] = Slot(value=None, spans=spanned("ce matin"))
    later = dataclasses.replace(only, hazard=CARD.hazard, time=vague)
    assert card_lines(later, note)[1:] == ["Besoin : secours", "Moment : « ce matin »"]


def test_a_receiver_without_texts_gets_no_card(note: Note) -> None:
    assert card_lines(CARD, note, quotes=False) == []


@given(text=st.text(max_size=600))
def test_a_cards_words_are_one_line_of_bounded_length(text: str) -> None:
    places = tuple(Span(text=text, start=0, end=len(text)) for _ in range(50))
    card = dataclasses.replace(CARD, places=places, time=Slot(value=None, spans=places[:1]))
    said = card_words(VOICE.words, card, "Europe/Paris")
    assert all("\n" not in value and len(value) < 400 for value in said.values())


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_word_of_a_card_is_in_the_catalogue(language: str) -> None:
    say = catalogue(language)
    for area, labels in {"hazard": Hazard, "need": Need, "vulnerable": Vulnerable}.items():
        for label in labels:
            assert say(f"card.{area}.{label}")


def test_signs_of_organisation_are_numbers_and_left_out_where_there_are_none(
    note: Note, flood: Flood, voice: Speak
) -> None:
    signs = Coordination(
        texts=60, copies=480, shortest_s=2.5, median_s=4.0, accounts=450, new_accounts=400,
        undated=0, days=7,
    )  # fmt: skip
    lines = compose(note(facts=flood(coordination=signs)), voice=voice(), quotes=True).lines
    (said,) = [plain(line.text) for line in lines if plain(line.label) == "Signes d'organisation :"]
    assert "60 textes repris" in said
    assert "480 messages, 4 s entre deux, 2,5 s au plus court" in said
    assert "400 comptes sur 450 (0,89) avaient 7 jours au plus" in said
    old = dataclasses.replace(signs, texts=0, copies=0)
    lines = compose(note(facts=flood(coordination=old)), voice=voice("en"), quotes=True).lines
    (said,) = [line.text for line in lines if line.label == "Signs of organisation:"]
    assert said == "400 of 450 accounts (0.89) were 7 days old at most"
    labels = [line.label for line in compose(note(), voice=voice(), quotes=True).lines]
    assert "Signes d'organisation :" not in labels
