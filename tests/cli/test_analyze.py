"""`veille analyze` prints every finding, in order, the same whatever the other lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from veille.app import parts
from veille.cli.findings import analysis_line, spans_line
from veille.cli.root import root
from veille.domain.analysis import (
    Analysis,
    Entity,
    Place,
    Sentiment,
    SentimentLabel,
    Urgency,
    UrgencyLabel,
)
from veille.domain.card import Card, Slot, Span
from veille.domain.explanation import Explanation, Weight
from veille.nlp.analyst import Analyst

pytestmark = pytest.mark.timeout(120)  # the first test loads the model

HELP = "Au secours, l'eau monte au 12 rue du Lavoir, deux enfants sont coincés depuis 20 min"
KEYS = (
    "id lang sentiment crisis urgency hostility toxicity intent topics entities places cluster "
    "card analyzers"
).split()


@pytest.fixture(scope="module")
def analyst() -> Iterator[Analyst]:
    loaded = parts.load_analyst(None)
    yield loaded
    loaded.close()


@pytest.fixture(autouse=True)
def shared(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "load_analyst", lambda _: analyst)


def mention(number: int, text: str, **more: object) -> str:
    fixed = {"source": "x", "id": f"m{number}", "text": text}
    return json.dumps({**fixed, "created_at": f"2026-01-18T02:{number:02}:00+01:00", **more})


def analyze(lines: list[str], *options: str) -> Result:
    return CliRunner().invoke(root, ["analyze", *options], input="\n".join(lines).encode())


def objects(lines: list[str], *options: str) -> list[dict[str, Any]]:
    found = analyze(lines, "--json", *options)
    assert found.exit_code == 0, found.output
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_every_finding_is_printed_under_its_name() -> None:
    (found,) = objects([mention(10, HELP, media=[{"type": "image"}])])
    assert list(found) == KEYS
    assert found["hostility"].keys() == {"label", "score", "target"}
    assert found["intent"]["label"] == "distress"
    assert found["topics"][0].keys() == {"id", "score"}
    card = found["card"]
    assert (card["hazard"], card["need"]) == ("flood", "rescue")
    assert [place["text"] for place in card["places"]] == ["12 rue du Lavoir"]
    assert card["people"] == {"number": 2, "is_approximate": False}
    assert card["vulnerable"] == ["children"]
    assert card["time"]["text"] == "depuis 20 min"
    moment = datetime.fromisoformat(card["time"]["at"])
    assert moment == datetime.fromisoformat("2026-01-18T01:50:00+01:00")
    assert card["has_media"] is True
    assert card["verification"] == "unverified"
    for spans in card["evidence"].values():
        assert all(HELP[span["start"] : span["end"]] == span["text"] for span in spans)


def test_words_of_an_attacker_do_nothing_to_the_terminal() -> None:
    where = "rue\x1b[2J \u202edu Lavoir\x07\x9b"
    spot = Span(text=where, start=0, end=9)
    card = Card(
        hazard=None, places=(spot,), people=None, vulnerable=(), need=None, has_media=False,
        time=Slot(value=None, spans=(spot,)),
    )  # fmt: skip
    found = Analysis(
        lang="fr",
        sentiment=Sentiment(label=SentimentLabel.NEUTRAL, score=0.0, probabilities={}),
        crisis=0.0,
        urgency=Urgency(label=UrgencyLabel.URGENT, score=1.0),
        entities=(Entity(label="LOC", text=where, start=0, end=9),),
        places=(Place(name=where, insee=None, score=1.0, start=0, end=9),),
        card=card,
    )
    why = Explanation(
        head="urgency", label="urgent", spans=(Weight(start=0, end=9, text=where, weight=0.5),)
    )
    for said in (analysis_line(found), spans_line([why])):
        assert "Lavoir" in said
        assert not set("\x1b\u202e\x07\x9b") & set(said)


def test_a_plain_line_has_a_card_without_moment_and_a_calm_one_has_none() -> None:
    urgent, calm = objects([HELP, "La piscine rouvre quand ?"])
    assert urgent["card"]["time"] == {"text": "depuis 20 min", "at": None}
    assert urgent["card"]["has_media"] is False
    assert calm["card"] is None


def test_lines_that_say_the_same_share_a_cluster_named_after_the_first() -> None:
    found = objects(
        [
            mention(1, HELP, author={"id": "a"}),
            "La médiathèque sera fermée le lundi de Pentecôte",
            mention(3, f"RT {HELP}", author={"id": "b"}),
            mention(3, f"{HELP} !!!", author={"id": "b"}),
        ]
    )
    clusters = [each["cluster"] for each in found]
    assert [cluster["id"] for cluster in clusters] == ["m1", "2", "m1", "m1"]
    assert [cluster["size"] for cluster in clusters] == [1, 1, 2, 3]
    assert clusters[3]["authors"] == 2
    assert not clusters[3]["is_claim"]


def test_nothing_but_the_cluster_depends_on_the_other_lines() -> None:
    lines = [HELP, mention(4, HELP), "Merci pour tout", f"RT {HELP}"]
    together = objects(lines)
    for line, found in zip(lines, together, strict=True):
        (alone,) = objects([line])
        if not line.startswith("{"):
            alone["id"] = found["id"]
        assert {**alone, "cluster": None} == {**found, "cluster": None}


def test_a_territory_settles_homonyms() -> None:
    text = "Fuite d'eau à Saint-Aubin"
    (bare,) = objects([text])
    (told,) = objects([text], "--territory", "39476", "--territory", "2A")
    assert [place["insee"] for place in bare["places"]] == [None]
    assert [place["insee"] for place in told["places"]] == ["39476"]


@pytest.mark.parametrize("code", ["x y", "", "123456", "394"])
def test_a_wrong_territory_is_refused_with_what_to_write(code: str) -> None:
    found = analyze([HELP], "--territory", code)
    assert found.exit_code == 2
    assert "INSEE code" in found.output


def test_explain_adds_words_of_the_text_and_changes_nothing_else() -> None:
    text = "Bravo, la fête était belle"
    (bare,), (why,) = objects([text]), objects([text], "--explain")
    spans = why.pop("spans")
    assert why == bare
    assert "sentiment" in spans
    for found in spans.values():
        assert all(text[span["start"] : span["end"]] == span["text"] for span in found)


def test_bad_lines_keep_their_place() -> None:
    found = analyze(["Bonjour", "", '{"id": 3}', "Merci"], "--json")
    assert found.exit_code == 1
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line.get("line", line.get("id")) for line in lines] == ["1", 2, 3, "4"]


def test_people_read_one_line_a_text(tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_text(f"{HELP}\nBonjour\ttoi\n", encoding="utf-8")
    found = CliRunner().invoke(root, ["analyze", str(file), "--explain"])
    first, second = found.stdout.splitlines()
    assert first.startswith("1\tfr\tnegative ")
    assert "card: flood, 12 rue du Lavoir, 2 people, children, needs rescue" in first
    assert "\twhy " in first
    assert "card:" not in second
