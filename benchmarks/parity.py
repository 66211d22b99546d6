"""Compare the shipped int8 network with fp32 weights in torch: one line a head.

python benchmarks/parity.py --torch DIR [FILE]: DIR as `veille models train` leaves it with --hf;
FILE has a text a line (default: the reference sentences). Needs the extra `torch`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from veille.nlp.encoder import Encoder
from veille.nlp.heads import Heads
from veille.nlp.load import load_encoder, read_references
from veille.nlp.parity import gaps, mean_gap
from veille.nlp.prepare import for_encoder, legible
from veille.nlp.settings import ModelSettings


def logits(encoder: Encoder, texts: list[str]) -> list[tuple[float, ...]]:
    try:
        return [each.logits for each in encoder.encode(texts)]
    finally:
        encoder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", type=Path, required=True, help="a Hugging Face directory")
    parser.add_argument("--model", type=Path, help="the ONNX model's folder (default: the shipped)")
    parser.add_argument("file", type=Path, nargs="?")
    args = parser.parse_args()
    shipped = ModelSettings(directory=str(args.model) if args.model else None)
    manifest, int8 = load_encoder(shipped)
    _, fp32 = load_encoder(ModelSettings(encoder=str(args.torch)))
    if args.file:
        texts = args.file.read_text(encoding="utf-8").splitlines()
    else:
        texts = [each.text for each in read_references(shipped, manifest)]
    ready = [text for text in map(for_encoder, texts) if legible(text)]
    found = gaps(Heads(manifest), logits(int8, ready), logits(fp32, ready))
    print("| head | texts | same label | mean distance | largest |\n|---|---|---|---|---|")
    for head, gap in found.items():
        share = f"{gap.agreeing / gap.n:.1%}"
        print(f"| {head} | {gap.n} | {share} | {gap.mean:.4f} | {gap.worst:.3f} |")
    print(f"\nmean over heads: {mean_gap(found):.4f}")


if __name__ == "__main__":
    main()
