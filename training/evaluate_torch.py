"""Measure fp32 weights on the dev sets, to choose between runs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score, roc_auc_score
from tokenizers import Tokenizer

import corpus
import network


@torch.inference_mode()
def logits_of(net: network.Network, tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Return the logits of all heads, in the order of `texts`."""
    net.eval()
    ids = [item.ids for item in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    out = np.zeros((len(ids), network.OUTPUTS), dtype=np.float32)
    for start in range(0, len(order), 32):
        chunk = order[start : start + 32]
        out[chunk] = net(*network.collate([ids[i] for i in chunk]))[0].numpy()
    return out


def sentiment_f1(logits: np.ndarray, rows: list[corpus.Row]) -> float:
    gold = [row.sentiment for row in rows]
    return 100 * f1_score(gold, logits[:, network.SENTIMENT].argmax(1), average="macro")


def report(net: network.Network, tokenizer: Tokenizer) -> None:
    for name, rows in (("umsab", corpus.umsab("dev")), ("deft", corpus.deft("dev"))):
        logits = logits_of(net, tokenizer, [row.text for row in rows])
        print(f"{name} dev macro-F1 {sentiment_f1(logits, rows):.1f} (n={len(rows)})")
    rows = corpus.t26("dev")[::3]
    logits = logits_of(net, tokenizer, [row.text for row in rows])
    gold = [row.crisis for row in rows]
    print(f"t26 dev AUROC {roc_auc_score(gold, logits[:, network.CRISIS]):.3f} (n={len(rows)})")
    for event in sorted({row.origin for row in rows}):
        at = [i for i, row in enumerate(rows) if row.origin == event]
        area = roc_auc_score([gold[i] for i in at], logits[at, network.CRISIS])
        print(f"    {event} {area:.3f} (n={len(at)})")
    rows = corpus.municipal_dev()
    logits = logits_of(net, tokenizer, [row.text for row in rows])
    area = roc_auc_score([row.urgent for row in rows], logits[:, network.URGENT])
    print(f"municipal dev sentiment F1 {sentiment_f1(logits, rows):.1f}, urgency AUROC {area:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("runs", type=Path, nargs="+")
    args = parser.parse_args()
    tokenizer = network.tokenizer_of(args.work)
    for run in args.runs:
        print(run.name)
        report(network.load(args.work, run), tokenizer)


if __name__ == "__main__":
    main()
