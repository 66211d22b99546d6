"""A text keeps its logits and its vector, bit for bit, whatever is read beside it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import InputError
from veille.nlp.encoder import SLOTS, STEP, Encoded, Encoder, groups, width_of
from veille.nlp.manifest import Manifest

WORDS = (
    "la mairie de Saint-Aubin n'a pas répondu 😡 😡😡 #voirie @user http merci l'école est fermée "
    "au secours l'eau monte <pad> </s> 漢字 zzzzqx 12 !!! anticonstitutionnellement"
).split()
GROUPINGS = 80


def written() -> list[str]:
    """Return texts of 1 to 300 words, whose order and words a seed decides."""
    rng = random.Random(7)
    sizes = [1, 2, 3, 5, 8, 13, 21, 34] * 5 + [80, 300]
    return ["", *(" ".join(rng.choices(WORDS, k=size)) for size in sizes)]


def bits(encoded: Encoded) -> tuple[tuple[float, ...], bytes]:
    return encoded.logits, encoded.vector.tobytes()


@pytest.fixture(scope="module")
def encoder(shipped_model: tuple[Manifest, Encoder]) -> Encoder:
    return shipped_model[1]


@pytest.fixture(scope="module")
def alone(encoder: Encoder) -> dict[str, tuple[tuple[float, ...], bytes]]:
    return {text: bits(encoder.encode([text])[0]) for text in written()}


def test_no_grouping_changes_one_bit(
    encoder: Encoder, alone: dict[str, tuple[tuple[float, ...], bytes]]
) -> None:
    rng = random.Random(3)
    short = [text for text in alone if len(text) < 200]
    for _ in range(GROUPINGS):
        picks = rng.choices(short, k=rng.choice([2, 3, 9, 20]))
        found = [bits(each) for each in encoder.encode(picks)]
        assert found == [alone[text] for text in picks]


def test_no_neighbour_thread_changes_one_bit(
    encoder: Encoder, alone: dict[str, tuple[tuple[float, ...], bytes]]
) -> None:
    texts = list(alone)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(encoder.encode, (texts, texts[::-1], texts[::2])):
            assert {bits(each) for each in found} <= set(alone.values())


def test_texts_differ_among_themselves(
    alone: dict[str, tuple[tuple[float, ...], bytes]],
) -> None:
    assert len(set(alone.values())) == len(alone)


def test_the_vector_owns_its_memory(encoder: Encoder) -> None:
    assert all(each.vector.base is None for each in encoder.encode(["un", "deux"]))


def test_a_failing_run_reaches_every_text_of_it(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("out of memory")

    monkeypatch.setattr(encoder, "_session", Broken())
    for future in encoder.submit(["un", "deux", "trois " * 90]):
        with pytest.raises(RuntimeError, match="out of memory"):
            future.result(timeout=10)


@pytest.mark.parametrize(("output", "number"), [(0, "nan"), (0, "inf"), (1, "nan")])
def test_a_text_without_numbers_fails_alone(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, output: int, number: str
) -> None:
    real = encoder._session

    class Overflows:
        def run(self, names: None, feeds: dict[str, Any]) -> list[Any]:
            found = [array.copy() for array in real.run(names, feeds)]
            found[output][1] = float(number)
            return found

    monkeypatch.setattr(encoder, "_session", Overflows())
    first, second, third = encoder.submit(["un", "deux", "trois"])
    assert first.result(timeout=10)
    assert third.result(timeout=10)
    with pytest.raises(InputError, match="no number"):
        second.result(timeout=10)


@given(lengths=st.lists(st.integers(min_value=1, max_value=400), max_size=80))
def test_every_text_is_read_once_at_its_own_width(lengths: list[int]) -> None:
    found = list(groups(lengths))
    assert sorted(at for group in found for at in group) == list(range(len(lengths)))
    for group in found:
        (width,) = {width_of(lengths[at]) for at in group}
        assert width % STEP == 0
        assert len(group) == 1 or len(group) * width <= SLOTS
        assert 0 <= width - max(lengths[at] for at in group) < STEP
