"""A commune is resolved when the text or the watch settles it, and left undecided otherwise."""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.analysis import Place
from veille.domain.errors import ModelError
from veille.nlp.communes import Communes
from veille.nlp.entities import EntityFinder
from veille.nlp.gazetteer import key, read_gazetteer, tokens
from veille.nlp.load import load_communes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "communes"
SUITE = Path(__file__).with_name("homonyms.tsv")


@pytest.fixture(scope="module")
def communes() -> Communes:
    return load_communes(FOLDER)


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
    assert len(rows) == 115
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


LOADED = load_communes(FOLDER)  # hypothesis takes no fixture of a wider scope


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


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "communes"))


@pytest.mark.parametrize("name", ["communes.tsv.xz", "areas.tsv", "clues.tsv"])
def test_a_damaged_list_is_refused_by_its_name(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(data)
    with pytest.raises(ModelError, match=rf"{name} has SHA-256 .* communes\.toml says"):
        load_communes(copied)


def test_a_missing_list_is_refused_by_its_name(copied: Path) -> None:
    (copied / "areas.tsv").unlink()
    with pytest.raises(ModelError, match=r"areas\.tsv is missing"):
        load_communes(copied)
    (copied / "communes.toml").unlink()
    with pytest.raises(ModelError, match=r"no readable communes\.toml"):
        load_communes(copied)


def test_a_listing_must_name_every_file(copied: Path) -> None:
    path = copied / "communes.toml"
    kept = [line for line in path.read_text().splitlines() if "clues" not in line.split("=")[0]]
    path.write_text("\n".join(kept))
    with pytest.raises(ModelError, match=r"does not list clues\.tsv"):
        load_communes(copied)


@pytest.mark.parametrize(
    "files",
    [
        {"communes": b"not xz"},
        {"communes": lzma.compress(b"one column only")},
        {"areas": b"\xff"},
        {"clues": b"a line of one cell"},
    ],
)
def test_a_malformed_list_is_a_model_error(files: dict[str, bytes]) -> None:
    good = {"communes": lzma.compress(b""), "areas": b"", "clues": b""}
    with pytest.raises(ModelError, match="list of communes"):
        read_gazetteer(**good | files)


def test_the_version_changes_with_any_file(copied: Path, communes: Communes) -> None:
    assert load_communes(copied).version == communes.version
    with (copied / "clues.tsv").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    path = copied / "communes.toml"
    digest = hashlib.sha256((copied / "clues.tsv").read_bytes()).hexdigest()
    path.write_text(re.sub(r'("clues\.tsv" = )"\w+"', rf'\1"{digest}"', path.read_text()))
    assert load_communes(copied).version != communes.version


def test_a_commune_named_again_and_again_is_listed_where_it_stands_first(
    communes: Communes,
) -> None:
    text = "Panne à Dreux. " * 3_000 + "Et à Lyon."
    places = communes.resolve(text, (), territory=())
    assert [(place.name, place.start) for place in places] == [("Dreux", 8), ("Lyon", 45_005)]


@given(
    st.text(alphabet="stSTéœ'’-/ 1#@\u0301\u200b") | st.sampled_from(["Bar-s/-Aube", "S/", "s /"])
)
def test_a_name_is_found_by_the_words_that_are_read_in_a_text(name: str) -> None:
    assert key(name) == " ".join(token.word for token in tokens(name))
