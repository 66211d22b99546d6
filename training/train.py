"""Fine-tune all heads together on one encoder and save the weights of one run.

A row trains only the heads it has a label for. Recipe: AdamW, layer-wise learning-rate decay,
label smoothing, warm-up then linear decay, frozen embeddings, last step kept (nothing is picked
on dev inside a run).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import corpus
import network
from evaluate_torch import report

BATCH = 32
DECAY = 0.9  # of the learning rate, from each layer to the one below
# Weight of labels that are assumed, not read: opinion tweets are neither urgent nor a crisis.
WEAK = 0.25


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="weights of this run")
    parser.add_argument("--start", type=Path, help="weights to start from (default: e5's)")
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    for name, repeats in (("umsab", 4), ("deft", 1), ("ours", 4), ("t26", 5000)):
        parser.add_argument(f"--{name}", type=int, default=repeats)
    return parser.parse_args()


def assembled(args: argparse.Namespace) -> list[corpus.Row]:
    """Return every row as often as it is to be seen; `--t26` counts rows, the others repeats."""
    rows = corpus.umsab("train") * args.umsab + corpus.deft("train") * args.deft
    rows += corpus.t26_sample(args.t26, args.seed)
    return rows + (corpus.ours() * args.ours if args.ours else [])


def batches(ids: list[list[int]], rng: random.Random) -> Iterator[list[int]]:
    """Yield row numbers, each once, in batches of texts of like length."""
    order = list(range(len(ids)))
    rng.shuffle(order)
    cut = []
    for start in range(0, len(order), BATCH * 16):
        chunk = sorted(order[start : start + BATCH * 16], key=lambda i: len(ids[i]))
        cut += [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
    rng.shuffle(cut)
    yield from cut


def groups(net: network.Network, lr: float) -> list[dict]:
    net.encoder.embeddings.requires_grad_(requires_grad=False)
    layers = net.encoder.encoder.layer
    found: list[dict] = [{"params": net.head.parameters(), "lr": 5 * lr}]
    for depth, layer in enumerate(layers):
        found.append({"params": layer.parameters(), "lr": lr * DECAY ** (len(layers) - 1 - depth)})
    return found


def known(loss: Tensor, labels: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    return (loss * (labels >= 0) * weight).sum() / BATCH


def loss_of(logits: Tensor, rows: list[corpus.Row]) -> Tensor:
    sentiment = torch.tensor([r.sentiment for r in rows])
    weak = torch.tensor([r.origin in ("umsab", "deft") for r in rows])
    crisis = torch.tensor([r.crisis for r in rows]).where(~weak, 0)
    urgent = torch.tensor([r.urgent for r in rows]).where(~weak, 0)
    cross = nn.functional.cross_entropy(
        logits[:, network.SENTIMENT], sentiment.clamp(min=0), label_smoothing=0.1, reduction="none"
    )
    binary = nn.functional.binary_cross_entropy_with_logits
    alarm = binary(logits[:, network.CRISIS], crisis.clamp(min=0).float(), reduction="none")
    call = binary(logits[:, network.URGENT], urgent.clamp(min=0).float(), reduction="none")
    trust = torch.where(weak, WEAK, 1.0)
    return known(cross, sentiment) + known(alarm, crisis, trust) + known(call, urgent, trust)


def fit(
    net: network.Network, rows: list[corpus.Row], ids: list[list[int]], lr: float, seed: int
) -> None:
    optimizer = torch.optim.AdamW(groups(net, lr), betas=(0.9, 0.98), weight_decay=0.01)
    plan = list(batches(ids, random.Random(seed)))
    warm = max(1, len(plan) // 10)
    shape = lambda s: min((s + 1) / warm, (len(plan) - s) / (len(plan) - warm))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, shape)
    net.train()
    started, seen = time.monotonic(), 0.0
    for step, batch in enumerate(plan):
        logits, _ = net(*network.collate([ids[i] for i in batch]))
        loss = loss_of(logits, [rows[i] for i in batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        seen += loss.item()
        if step % 20 == 19:
            print(
                f"{step + 1}/{len(plan)} loss {seen / 20:.3f} {time.monotonic() - started:.0f} s",
                flush=True,
            )
            seen = 0.0


def main() -> None:
    args = options()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    net = network.fresh(args.work)
    if args.start:
        net.load_state_dict(torch.load(args.start))
    rows = assembled(args)
    tokenizer = network.tokenizer_of(args.work)
    ids = [item.ids for item in tokenizer.encode_batch([row.text for row in rows])]
    fit(net, rows, ids, args.lr, args.seed)
    torch.save(net.state_dict(), args.out)
    report(net, tokenizer)


if __name__ == "__main__":
    main()
