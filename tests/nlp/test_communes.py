"""A commune is resolved when the text or the watch settles it, and left undecided otherwise."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import ModelError
from veille.nlp.communes import Communes, Place
from veille.nlp.entities import EntityFinder
from veille.nlp.load import load_entity_model

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "communes"
SUITE = Path(__file__).with_name("homonyms.tsv")


@pytest.fixture(scope="module")
def communes() -> Communes:
    return Communes.load(FOLDER)


@pytest.fixture(scope="module")
def finder() -> EntityFinder:
    return EntityFinder(load_entity_model())


def suite() -> list[tuple[str, set[str], list[str]]]:
    lines = SUITE.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("# ")]
    return [(text, set(codes.split(",")) - {"-"}, watch.split()) for text, codes, watch, _ in cells]


def decided(places: tuple[Place, ...]) -> set[str]:
    return {place.insee for place in places if place.insee}


def one(communes: Communes, text: str, *territory: str) -> Place:
    (place,) = communes.resolve(text, (), territory=territory)
    return place


def test_the_homonym_suite_stays_above_its_floor(communes: Communes, finder: EntityFinder) -> None:
    rows = suite()
    assert len(rows) == 100
    found = [
        decided(communes.resolve(text, entities, territory=watch))
        for (text, _, watch), entities in zip(rows, finder.find([r[0] for r in rows]), strict=True)
    ]
    missed = [
        (text, got) for (text, codes, _), got in zip(rows, found, strict=True) if got != codes
    ]
    wrong = [(text, got) for (text, codes, _), got in zip(rows, found, strict=True) if got - codes]
    assert wrong == []
    assert len(missed) <= 5, missed


@pytest.mark.parametrize(
    ("text", "insee"),
    [
        ("Saint-Denis, la rocade est coupée au Barachois", "97411"),
        ("marché de Saint-Denis près de la basilique", "93066"),
        ("Saint-Denis c'est beau", None),
    ],
)
def test_a_watched_city_does_not_take_the_talk_about_its_namesake(
    communes: Communes, text: str, insee: str | None
) -> None:
    assert one(communes, text, "93066").insee == insee


def test_a_fictional_watched_town_is_not_forced_to_a_real_one(communes: Communes) -> None:
    assert one(communes, "Incendie à Saint-Aubin", "99001").insee is None
    assert one(communes, "Incendie à Saint-Aubin (Jura)", "99001").insee == "39476"


def test_a_watch_knows_its_commune_by_its_short_name(communes: Communes) -> None:
    assert one(communes, "Fuite d'eau à Saint-Rémy", "13100").insee == "13100"
    assert one(communes, "Fuite d'eau à Saint-Rémy").insee is None


@pytest.mark.parametrize("amount", ["10000 euros", "39000 habitants", "10 000 €", "91000 km"])
def test_an_amount_is_no_postcode(communes: Communes, amount: str) -> None:
    assert one(communes, f"Saint-Aubin : {amount} pour le kiosque").insee is None


def test_a_long_list_of_names_is_read_whole(communes: Communes) -> None:
    names = [rows[0].name for rows in communes._gazetteer.communes.values()][:3000]
    places = communes.resolve(", ".join(names), (), territory=("93066",))
    assert len(places) > 1000
    assert all(0 <= place.score <= 1 for place in places)


def test_a_departement_may_be_watched(communes: Communes) -> None:
    assert one(communes, "Fuite d'eau à Saint-Aubin", "39").insee == "39476"


def test_spellings_of_one_name_agree(communes: Communes) -> None:
    spellings = ("Saint-Étienne", "St-Etienne", "ST ÉTIENNE", "saint etienne", "Saint‑Étienne")
    for spelling in spellings:
        assert one(communes, f"Panne à {spelling} ce soir").insee == "42218", spelling


def test_a_place_keeps_the_offsets_of_the_text(communes: Communes) -> None:
    text = "😡 cœur de l'été : à L'Haÿ-les-Roses, rien"
    place = one(communes, text)
    assert text[place.start : place.end] == "L'Haÿ-les-Roses"
    assert place.insee == "94038"


@pytest.mark.parametrize(
    "text",
    ["rue de Lyon", "avenue de la Marseille", "le pont est coupé", "Y a quelqu'un ?", "@Lyon", ""],
)
def test_streets_and_ordinary_words_are_no_communes(communes: Communes, text: str) -> None:
    assert decided(communes.resolve(text, (), territory=())) == set()


LOADED = Communes.load(FOLDER)  # hypothesis takes no fixture of a wider scope


@given(st.text(max_size=200))
def test_any_text_gives_places_that_stand_in_it(text: str) -> None:
    for place in LOADED.resolve(text, (), territory=("93066", "39", "x", "")):
        assert 0 <= place.start < place.end <= len(text)
        assert 0 <= place.score <= 1


def test_the_data_is_small_and_whole() -> None:
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert size < 600_000
    rows = lzma.decompress((FOLDER / "communes.tsv.xz").read_bytes()).decode().splitlines()
    assert len({row.split("\t")[0] for row in rows}) == len(rows) > 34_000


def test_clues_name_codes_that_exist(communes: Communes) -> None:
    gazetteer = communes._gazetteer
    known = set(gazetteer.codes) | {code for clue in gazetteer.regions.values() for code in clue}
    for words, clue in gazetteer.clues.items():
        assert clue.codes <= known | {"975", "977", "978", "984", "986", "987", "988", "989"}, words


def test_a_missing_or_damaged_list_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="install it again"):
        Communes.load(tmp_path)
    for name in ("areas.tsv", "clues.tsv"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "communes.tsv.xz").write_bytes(b"not xz")
    with pytest.raises(ModelError, match="install it again"):
        Communes.load(tmp_path)
