"""Average the weights of several runs that started from the same encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("runs", type=Path, nargs="+")
    args = parser.parse_args()
    states = [torch.load(run) for run in args.runs]
    mean = {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }
    torch.save(mean, args.out)
    print(f"{args.out}: mean of {len(states)} runs")


if __name__ == "__main__":
    main()
