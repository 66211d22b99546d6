from __future__ import annotations

import json
from collections import Counter

import pytest

from training.conftest import DEV, sentence, write_sentences
from veille.domain.errors import ConfigError
from veille.training.corpus import DEV_VOICES, Corpus, read_tsv


def test_a_voice_is_in_train_or_in_dev_and_never_in_both(corpus) -> None:
    train, dev = corpus.ours("train"), corpus.ours("dev")
    assert {row.voice for row in train} == {"a01"}
    assert {row.voice for row in dev} == {DEV}
    assert len(train) + len(dev) == 120


def test_a_set_gives_only_the_labels_it_has(corpus) -> None:
    assert {tuple(row.labels) for row in corpus.public("umsab", "train")} == {("sentiment",)}
    assert {tuple(row.labels) for row in corpus.public("toxifrench", "dev")} == {("toxicity",)}
    assert {tuple(row.labels) for row in corpus.public("t26", "dev")} == {("crisis",)}


def test_mixed_texts_of_deft_are_left_out(corpus) -> None:
    assert len(corpus.public("deft", "train")) == 11  # of 16, every third is mixed


def test_the_sample_of_tweets_is_even_by_event_and_the_same_for_a_seed(corpus) -> None:
    sample = corpus.t26_sample(8, seed=5)
    assert sample == corpus.t26_sample(8, seed=5)
    assert set(Counter(row.origin for row in sample).values()) == {2}


def test_links_and_names_are_masked_as_the_daemon_masks_them(corpus, tmp_path) -> None:
    path = tmp_path / "sentences" / "b.tsv"
    header = (tmp_path / "sentences" / "a.tsv").read_text().splitlines()[0]
    line = "voyez https://exemple.fr/x @mairie\tneg\t0\t0\tnone\tnone\tquestion\troads\tb01\t"
    path.write_text(f"{header}\n{line}\n", encoding="utf-8")
    assert corpus.ours("train", ("b",))[0].text == "voyez http @user"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("a\tb", "line 2: 2 columns"),
        ("x\tneg\t2\t0\tnone\tnone\tquestion\troads\tb01\t", "line 2: unknown label"),
        ("x\tnég\t0\t0\tnone\tnone\tquestion\troads\tb01\t", "line 2: unknown label"),
        ("x\tneg\t0\t0\tnone\tnone\tquestion\trads\tb01\t", "line 2: unknown label"),
    ],
)
def test_a_bad_line_is_named(tmp_path, cells, said) -> None:
    write_sentences(tmp_path)
    path = tmp_path / "a.tsv"
    header = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(f"{header}\n{cells}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        Corpus(data=tmp_path, sentences=tmp_path).ours("train")


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_a_text_keeps_the_separators_that_are_no_line_ends(tmp_path, mark) -> None:
    write_sentences(tmp_path)
    path = tmp_path / "a.tsv"
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([lines[0], f"feu{mark}cave{lines[1]}", *lines[2:]]), encoding="utf-8")
    assert len(read_tsv(path)) == 120
    (tmp_path / "toxifrench").mkdir()
    (tmp_path / "toxifrench" / "dev.jsonl").write_text(
        json.dumps({"text": f"a{mark}b", "label": "1"}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (row,) = Corpus(data=tmp_path, sentences=tmp_path).public("toxifrench", "dev")
    assert row.labels == {"toxicity": 1}


def test_a_label_of_a_public_set_that_is_none_is_named_with_its_line(corpus) -> None:
    path = corpus.data / "toxifrench" / "dev.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write('{"text": "x", "label": "toxique"}\n')
    with pytest.raises(ConfigError, match=r"toxifrench/dev\.jsonl: line 17: unknown label"):
        corpus.public("toxifrench", "dev")
    municipal = corpus.data / "municipal_fr_dev.tsv"
    municipal.write_text("# x\ntexte\tneg\toui\tquestion\troads\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"municipal_fr_dev\.tsv: line 2"):
        corpus.municipal()


def test_a_missing_folder_says_which_option_names_it(tmp_path) -> None:
    nowhere = Corpus(data=tmp_path / "no", sentences=tmp_path / "no")
    with pytest.raises(ConfigError, match="--sentences"):
        nowhere.ours("train")
    with pytest.raises(ConfigError, match="--data"):
        nowhere.public("umsab", "train")


def test_no_two_numbers_make_the_same_sentence() -> None:
    assert len({sentence(n) for n in range(4_000)}) == 4_000
    assert len(DEV_VOICES) == 56
