"""The runtime at hand gives the scores the network was published with."""

from __future__ import annotations

import pytest

from veille.domain.errors import ModelError
from veille.nlp.analyst import Analyst
from veille.nlp.heads import Heads
from veille.nlp.load import read_references
from veille.nlp.manifest import CHOICES, SCORES
from veille.nlp.parity import MEAN_LIMIT, decode_references, gaps, mean_gap
from veille.nlp.reference import distances
from veille.nlp.settings import ModelSettings


def test_the_shipped_int8_network_stays_near_its_fp32_logits(analyst: Analyst) -> None:
    references = read_references(ModelSettings(), analyst.manifest)
    found = distances(analyst, references)
    assert len(references) == 20
    assert set(found) == {*CHOICES, *SCORES}
    assert mean_gap(found) < MEAN_LIMIT
    # measured 0.10; one sentence may tip over, but not turn around
    assert max(gap.worst for gap in found.values()) < 0.4


def test_the_same_logits_have_no_gap_and_other_ones_do(analyst: Analyst) -> None:
    rows = [each.logits for each in read_references(ModelSettings(), analyst.manifest)]
    heads = Heads(analyst.manifest)
    same = gaps(heads, rows, rows)
    assert all(
        (gap.mean, gap.worst, gap.agreeing, gap.n) == (0, 0, 20, 20) for gap in same.values()
    )
    shuffled = gaps(heads, rows, rows[::-1])
    assert mean_gap(shuffled) > MEAN_LIMIT


@pytest.mark.parametrize("line", [b"", b"{", b'{"text": "a", "logits": [1.0]}', b'{"text": "a"}'])
def test_references_of_another_network_are_refused(line: bytes) -> None:
    with pytest.raises(ModelError, match=r"reference\.jsonl"):
        decode_references(line, outputs=53)


def test_without_references_there_is_nothing_to_compare(analyst: Analyst) -> None:
    assert distances(analyst, []) == {}
