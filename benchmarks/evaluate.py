"""Measure a model on all development sets: `veille models evaluate` on each, one after the other.

    python benchmarks/evaluate.py [--model DIR] [--data ../shared/data] [--json FILE]

A set that is absent is named and skipped. Prints no text of any set.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import msgspec

from veille.app import evaluation
from veille.app.parts import load_analyst
from veille.cli.figures import lines

ROOT = Path(__file__).parents[1]
# name, file, head where the labels alone do not tell
SETS = (
    ("municipal_fr", ROOT / "tests" / "data" / "municipal_fr_dev.tsv", None),
    ("blind_fr", ROOT / "tests" / "data" / "blind_fr.tsv", None),
    ("short_calls", ROOT / "tests" / "nlp" / "short_calls.tsv", None),
    ("umsab_sentiment_fr", Path("umsab_sentiment_fr/dev.jsonl"), None),
    ("deft2017_polarity_fr", Path("deft2017_polarity_fr/dev.jsonl"), None),
    ("crisislex_t26", Path("crisislex_t26/dev.jsonl"), None),
    ("toxifrench", Path("toxifrench/dev.jsonl"), "toxicity"),
    ("hatecheck_fr", Path("hatecheck_fr/dev.jsonl"), None),
    ("mlma_hate_fr", Path("mlma_hate_fr/dev.jsonl"), None),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "veille-e5-fr")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    analyst = load_analyst(None, folder=args.model)
    figures = {}
    for name, file, head in SETS:
        path = args.data / file  # an absolute path stays as it is
        if not path.exists():
            print(f"SKIPPED {name}: {path} is absent", file=sys.stderr)
            continue
        data = evaluation.read(path, analyst.manifest, head)
        found = evaluation.evaluate(data, analyst, threads=2, report=lambda *_: None)
        figures[name] = msgspec.to_builtins(found)
        print(f"\n=== {name}", *lines(found), sep="\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
