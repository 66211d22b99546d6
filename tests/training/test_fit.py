from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.conftest import needs_torch
from veille.training import fit, loss, network
from veille.training.labels import HEADS, OUTPUTS, SPANS


@given(st.lists(st.integers(1, 96), max_size=2_000), st.integers())
def test_every_text_is_seen_once_a_run(lengths, seed) -> None:
    plan = list(fit.batches(lengths, random.Random(seed)))
    assert sorted(number for batch in plan for number in batch) == list(range(len(lengths)))
    assert all(0 < len(batch) <= network.BATCH for batch in plan)


def test_the_rate_rises_then_falls_and_never_reaches_zero() -> None:
    rates = [fit._rate(step, 50) for step in range(50)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert min(rates) > 0


def test_outputs_have_a_place_each() -> None:
    assert len(OUTPUTS) == len(set(OUTPUTS)) == 53
    covered = [at for span in SPANS.values() for at in range(span.start, span.stop)]
    assert covered == list(range(53))


class _Stopped(Exception):
    pass


@needs_torch
def test_a_run_killed_at_any_step_ends_with_the_same_bits(encoder, corpus, tmp_path) -> None:
    import torch

    rows = (corpus.ours("train") + corpus.public("umsab", "train")) * 4
    tokenizer = network.tokenizer_of(encoder)
    ids = [item.ids for item in tokenizer.encode_batch([row.text for row in rows])]

    def run(name: str, stops: tuple[int, ...]) -> dict[str, torch.Tensor]:
        course = fit.Course(lr=1e-3, seed=4, checkpoint=tmp_path / name, every=2)

        def cost(logits, vectors, at):
            return loss.labels_loss(logits, [rows[i] for i in at], tuple(HEADS), batch=32)

        for stop in (*stops, None):
            torch.manual_seed(9)
            net = network.Network(encoder)
            torch.rand(3 if stop else 5)  # chance elsewhere must not matter

            def report(done, total, stop=stop):
                if done == stop:
                    raise _Stopped

            if stop is None:
                fit.fit(net, ids, cost, course, report)
            else:
                with pytest.raises(_Stopped):
                    fit.fit(net, ids, cost, course, report)
        return net.state()

    whole, killed = run("whole", ()), run("killed", (3, 2))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not torch.equal(run("other", ())["head.weight"], network.Network(encoder).head.weight)


@needs_torch
def test_a_head_without_labels_does_not_learn(encoder, corpus) -> None:
    import torch

    rows = corpus.public("toxifrench", "train")
    logits = torch.zeros((len(rows), len(OUTPUTS)), requires_grad=True)
    loss.labels_loss(logits, rows, tuple(HEADS), batch=32).backward()
    assert logits.grad is not None
    assert logits.grad[:, SPANS["toxicity"]].abs().min() > 0
    others = [at for at in range(len(OUTPUTS)) if at != SPANS["toxicity"].start]
    assert logits.grad[:, others].abs().max() == 0


@needs_torch
def test_opinion_tweets_are_taken_for_calm_with_less_weight(corpus) -> None:
    import torch

    def pull(origin: str, head: str) -> float:
        rows = corpus.public("umsab", "train")[:1] if origin == "umsab" else corpus.ours("dev")[:1]
        logits = torch.zeros((1, len(OUTPUTS)), requires_grad=True)
        loss.labels_loss(logits, rows, (head,), batch=1).backward()
        return float(logits.grad[0, SPANS[head].start])

    assert corpus.ours("dev")[0].labels["urgency"] == 0
    assert pull("umsab", "urgency") == pytest.approx(0.25 * pull("ours", "urgency"))


@needs_torch
def test_a_thinner_network_has_the_layers_asked_for(encoder) -> None:
    import torch

    whole = network.Network(encoder)
    thin = network.Network(encoder, layers=1)
    thin.load(network.thinned(whole.state(), (1,)))
    kept, wanted = thin.layers[0].state_dict(), whole.layers[1].state_dict()
    assert all(torch.equal(kept[name], wanted[name]) for name in wanted)


@needs_torch
def test_a_text_has_the_same_outputs_whatever_the_order_of_the_texts(encoder) -> None:
    import numpy as np

    net = network.Network(encoder)
    texts = [[0, *range(4, 4 + n), 2] for n in (3, 9, 5, 3)]
    forward, _ = network.outputs_of(net, texts)
    backward, _ = network.outputs_of(net, texts[::-1])
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-6)


@needs_torch
def test_an_average_lies_where_its_shares_say(encoder) -> None:
    import torch

    first, second = network.Network(encoder).state(), network.Network(encoder).state()
    name = "head.weight"
    even = network.averaged([first, second])[name]
    assert torch.allclose(even, (first[name] + second[name]) / 2)
    third = network.averaged([first, second], (0.25, 0.75))[name]
    assert torch.allclose(third, 0.25 * first[name] + 0.75 * second[name])
