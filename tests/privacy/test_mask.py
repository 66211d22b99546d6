"""What masking promises: nothing direct gets through, nothing else is touched, in linear time."""

from __future__ import annotations

import re
import string
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from veille.domain.mention import IdentifierKind
from veille.privacy.mask import REPLACEMENTS, mask
from veille.privacy.skeleton import skeleton

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "sentences.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PHONE, EMAIL, NIR, IBAN, PLATE = (
    REPLACEMENTS[kind]
    for kind in (
        IdentifierKind.PHONE,
        IdentifierKind.EMAIL,
        IdentifierKind.NIR,
        IdentifierKind.IBAN,
        IdentifierKind.PLATE,
    )
)
SEPARATORS = ("", " ", ".", "-", "/", "\u00a0", "\u202f", " . ", "_", "\u2011")
INVISIBLE = ("", "", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f\u20e3")
DATE = re.compile(r"(?:19|20)\d\d(?!\d)")
LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_sentence(row: list[str]) -> None:
    assert mask(row[0]).text == row[-1]


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(ROWS) >= 150
    assert sum(len(row) == 1 for row in ROWS) >= 50


digit = st.sampled_from(string.digits)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text(digit, min_size=count, max_size=count)


def spaced(groups: list[str], separators: list[str]) -> str:
    """The groups, a separator between each two."""
    pairs = zip(groups, [*separators, ""], strict=True)
    return "".join(part for pair in pairs for part in pair)


@st.composite
def phones(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(("0", "+33", "+33 ", "+33(0)", "0033", "0033 ", "(0)")))
    pairs = draw(st.lists(digits(2), min_size=4, max_size=4))
    groups = [prefix + draw(st.sampled_from("1234579")), *pairs]
    number = spaced(groups, draw(st.lists(st.sampled_from(SEPARATORS), min_size=4, max_size=4)))
    assume(not DATE.search(number))  # "01 01 1900 00" is left as a date
    return number


@st.composite
def nirs(draw: st.DrawFn) -> str:
    department = draw(st.sampled_from(("01", "75", "2A", "2B", "95", "97", "99")))
    groups = [
        draw(st.sampled_from("12")),
        draw(digits(2)),
        draw(st.sampled_from(("01", "07", "12"))),
        department,
        f"{draw(st.integers(1, 999)):03}",
        f"{draw(st.integers(1, 999)):03}",
    ]
    number = "".join(groups).replace("2A", "19", 1) if department == "2A" else "".join(groups)
    if department in {"2A", "2B"}:
        number = "".join(groups[:3]) + {"2A": "19", "2B": "18"}[department] + "".join(groups[4:])
    groups.append(f"{97 - int(number) % 97:02}")
    return spaced(groups, [draw(st.sampled_from(("", " ", ".", "-", "\u202f")))] * 6)


@st.composite
def ibans(draw: st.DrawFn) -> str:
    account = st.text(string.ascii_uppercase + string.digits, min_size=11, max_size=11)
    body = draw(digits(10)) + draw(account) + draw(digits(2))
    check = 98 - int("".join(str(int(c, 36)) for c in body + "FR00")) % 97
    joined = f"FR{check:02}{body}"
    groups = [joined[i : i + 4] for i in range(0, len(joined), 4)]
    return spaced(groups, [draw(st.sampled_from(("", " ", "\u00a0", "-")))] * (len(groups) - 1))


@st.composite
def plates(draw: st.DrawFn) -> str:
    pair = st.text(LETTERS, min_size=2, max_size=2).filter(lambda s: s != "SS")
    return f"{draw(pair)}-{draw(st.integers(1, 999)):03}-{draw(pair)}"


@st.composite
def emails(draw: st.DrawFn) -> str:
    local = draw(st.text("abcdézA_09", min_size=1, max_size=12))
    middle = draw(st.sampled_from(("", ".", "-", "+", "'", "’")))
    at = draw(st.sampled_from(("@", " @ ", "(at)", " (at) ", "[at]", " arobase ", "＠")))
    dot = draw(st.sampled_from((".", " point ", "[dot]", " (point) ")))
    return f"{local}{middle}{local}{at}exemple{dot}fr"


identifiers = st.one_of(
    st.tuples(phones(), st.just(PHONE)),
    st.tuples(nirs(), st.just(NIR)),
    st.tuples(ibans(), st.just(IBAN)),
    st.tuples(plates(), st.just(PLATE)),
    st.tuples(emails(), st.just(EMAIL)),
)
befores = st.sampled_from(("", "Appelez : ", "l'eau monte (", "Bonjour,\n", "À l’aide… « ", "n°"))
afters = st.sampled_from(("", ".", " merci", ")", "\nvite !", " »", ", svp"))


@given(identifiers, befores, afters)
def test_an_identifier_in_a_sentence_leaves_only_its_kind(
    identifier: tuple[str, str], before: str, after: str
) -> None:
    text, replacement = identifier
    assert mask(before + text + after).text == before + replacement + after


@given(identifiers, st.data())
def test_invisible_characters_hide_nothing(
    identifier: tuple[str, str], data: st.DataObject
) -> None:
    text, replacement = identifier
    inserted = "".join(c + data.draw(st.sampled_from(INVISIBLE)) for c in text)
    assert mask(f"voici : {inserted} ok").text == f"voici : {replacement} ok"


@given(phones(), st.sampled_from(("０", "٠", "𝟎", "০")))
def test_digits_of_other_scripts_hide_nothing(phone: str, zero: str) -> None:
    other = "".join(chr(ord(zero) + int(c)) if c in string.digits else c for c in phone)
    assert mask(f"tél {other} !").text == f"tél {PHONE} !"


PIECES = st.sampled_from(
    (
        "06",
        "12",
        "34",
        "0612345678",
        "+33",
        "(0)",
        "0033",
        " ",
        ".",
        "-",
        "/",
        "@",
        "a",
        "b.fr",
        "(at)",
        " arobase ",
        " point ",
        "fr",
        "1 85 05 78 006 084 91",
        "185057800608491",
        "91",
        "2A",
        "AB",
        "123",
        "AB-123-CD",
        "1234 AB 75",
        "FR76 3000 6000 0112 3456 7890 189",
        "http://",
        "https://wa.me/",
        "=",
        "?",
        "%2B",
        "\u200b",
        "O",
        "zéro six ",
        "douze ",
        "trente ",
        "[",
        "]",
        "(",
        ")",
        "'",
        '"',
        "facture ",
        "2026",
        "01/02/2026",
        "48.",
        "CMD-",
        "€",
        "@gmail",
        "www.",
        "\x00",
        "é",
        "\n",
        "０",
        "dossier n° ",
        "réf : ",
        "contrat ",
        "vol ",
        "AF-123-FR",
        "W-123",
        "_",
        ":",
        "|",
        ", ",
        "01 45 67 89 12",
        "06:12:34:56:78",
        "06, 12, 34, 56, 78",
        "X",
        " à ",
        " at ",
        "-at-",
        "(a)",
        "gmail.com",
        " . ",
        "j.d",
    )
)


@given(st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60)))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once.text).text == once.text


@given(st.text(max_size=80))
def test_what_is_not_masked_stays_as_written(text: str) -> None:
    masked = mask(text)
    assert bool(masked.kinds) == (masked.text != text)


@given(st.text(max_size=60))
def test_offsets_lead_back_to_the_original(text: str) -> None:
    shape = skeleton(text)
    assert len(shape.offsets) == len(shape.text) + 1
    assert shape.offsets[-1] == len(text)
    assert list(shape.offsets) == sorted(set(shape.offsets))


def test_kinds_are_named_once_and_sorted() -> None:
    assert mask("0612345678, 0712345678, a@b.fr").kinds == ("email", "phone")
    assert mask("rien").kinds == ()


@pytest.mark.parametrize(
    "spelling", ["01 23 45 67 89", "0123456789", "+33 1 23 45 67 89", "01.23.45.67.89"]
)
def test_the_institutions_own_number_is_kept_in_any_spelling(spelling: str) -> None:
    keep = frozenset({"01 23 45 67 89", "contact@ville.example"})
    text = f"{spelling}, Contact@Ville.example, 0612345678"
    assert mask(text, keep=keep).text == f"{spelling}, Contact@Ville.example, {PHONE}"


HOSTILE = (
    "0",
    "1 ",
    "0 1 ",
    "06 ",
    "06 12 34 56 7 ",
    "0612345678 ",
    "+33",
    "a@",
    "aa(at)",
    "a arobase ",
    "a@a.a.a.a.",
    " @a.fr",
    "a point ",
    "AA-",
    "1234 AB ",
    "1 85 05 78 006 08 ",
    "MT84 ",
    "http://a/0612345678",
    "http://a/",
    "zéro six ",
    "0\u200b6\u200b",
    "０６ ",
    " ",
    "([{<",
    '"',
    "FR76",
    "06, ",
    "06, 12, 34, 56, 78 ",
    "06:12:",
    "dossier 01 45 67 89 12 ",
    "facture 0612345678X ",
    "a à gmail.com ",
    "a.b at free.fr ",
    " at a point",
    "-at-",
    "a.b-at-free",
    "a@a . ",
    "vol AF-123-FR ",
    "AB - ",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_ten_times_the_text_takes_about_ten_times_as_long(unit: str) -> None:
    def cost(size: int) -> float:
        text = (unit * size)[:size]
        times = []
        for _ in range(3):
            start = time.process_time()
            mask(text)
            times.append(time.process_time() - start)
        return min(times)

    # quadratic work would show 100; 40 leaves room for a busy machine
    assert cost(100_000) < 40 * max(cost(10_000), 0.001)
