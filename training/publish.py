"""Calibrate the exported model on dev and write its folder's records.

Writes tokenizer.json, reference.jsonl (fp32 scores of twenty sentences) and model.toml beside
model.onnx. Run again with --measured to put the figures of benchmarks/evaluate.py into model.toml.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import precision_recall_curve
from torch import Tensor

import corpus
import network
from evaluate_torch import logits_of
from veille.nlp.encoder import Encoder
from veille.nlp.heads import crisis_of, sentiment_of, urgency_of
from veille.nlp.load import read_manifest
from veille.nlp.manifest import Calibration
from veille.nlp.prepare import for_encoder

NAME, LICENCE, MAX_LENGTH = "veille-e5-fr", "MIT", 256
REFERENCE = Path(__file__).with_name("reference_fr.txt")
OUTPUTS = ("negative", "neutral", "positive", "crisis", "urgent")
RECALL_WANTED = 1.0  # of urgent dev sentences: a missed call costs more than a false one
ORIGIN = (
    "temperature: umsab_sentiment_fr dev and municipal_fr dev, NLL; crisis: Platt, balanced "
    "classes, on crisislex_t26 dev with umsab and deft dev as no crisis; urgency: Platt, balanced "
    "classes, on municipal_fr dev; urgency threshold: the highest that misses no urgent sentence "
    "of municipal_fr dev, lowered half-way to the next score below"
)
SETS = (
    ("umsab_sentiment_fr", "train", "Apache-2.0 (repository)", "sentiment"),
    ("deft2017_polarity_fr", "train", "CeCILL", "sentiment"),
    ("crisislex_t26", "train", "MIT", "crisis"),
)


def onnx_logits(folder: Path, rows: list[corpus.Row]) -> np.ndarray:
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    encoder = Encoder(tokenizer, session, threads=1)
    found = [item.logits for item in encoder.encode([row.text for row in rows])]
    encoder.close()
    return np.array(found)


def minimize(parameters: Tensor, loss) -> list[float]:
    parameters.requires_grad_()
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(parameters)
        value.backward()
        return value

    optimizer.step(closure)
    return parameters.tolist()


def temperature(logits: np.ndarray, gold: list[int]) -> float:
    x, y = torch.tensor(logits[:, network.SENTIMENT]), torch.tensor(gold)
    cross = torch.nn.functional.cross_entropy
    return minimize(torch.tensor([1.0], dtype=x.dtype), lambda t: cross(x / t, y))[0]


def platt(logits: np.ndarray, gold: list[int]) -> tuple[float, float]:
    """Return scale and shift, both classes weighing the same.

    Targets are smoothed as Platt 1999 does, so that few rows suffice.
    """
    x, y = torch.tensor(logits), torch.tensor(gold, dtype=torch.float64)
    high = (y.sum() + 1) / (y.sum() + 2)
    low = 1 / ((1 - y).sum() + 2)
    target = torch.where(y > 0, high, low)
    weight = torch.where(y > 0, 1 / y.sum(), 1 / (1 - y).sum())
    cross = torch.nn.functional.binary_cross_entropy_with_logits
    start = torch.tensor([1.0, 0.0], dtype=torch.float64)
    scale, shift = minimize(start, lambda p: cross(p[0] * x + p[1], target, weight))
    return scale, shift


def threshold(scores: np.ndarray, gold: list[int]) -> float:
    """Return the highest threshold with the recall wanted, with a margin below it."""
    _, recall, cuts = precision_recall_curve(gold, scores)
    best = max(cut for cut, found in zip(cuts, recall[:-1], strict=True) if found >= RECALL_WANTED)
    below = scores[scores < best]
    return float((best + below.max()) / 2) if len(below) else float(best)


def calibrate(folder: Path) -> Calibration:
    opinions, city = corpus.umsab("dev"), corpus.municipal_dev()
    alarms, calm = corpus.t26("dev"), opinions + corpus.deft("dev")
    city_logits, alarm_logits = onnx_logits(folder, city), onnx_logits(folder, alarms)
    both = np.concatenate([onnx_logits(folder, opinions), city_logits])
    warmth = temperature(both, [row.sentiment for row in opinions + city])
    calm_logits = onnx_logits(folder, calm)
    crisis = platt(
        np.concatenate([alarm_logits, calm_logits])[:, network.CRISIS],
        [row.crisis for row in alarms] + [0] * len(calm),
    )
    gold = [row.urgent for row in city]
    scale, shift = platt(city_logits[:, network.URGENT], gold)
    scores = 1 / (1 + np.exp(-(scale * city_logits[:, network.URGENT] + shift)))
    return Calibration(
        sentiment_temperature=round(warmth, 4),
        crisis_scale=round(crisis[0], 4),
        crisis_shift=round(crisis[1], 4),
        urgency_scale=round(scale, 4),
        urgency_shift=round(shift, 4),
        urgency_threshold=round(threshold(scores, gold), 4),
        origin=ORIGIN,
    )


def write_reference(net: network.Network, work: Path, folder: Path, numbers: Calibration) -> None:
    texts = REFERENCE.read_text(encoding="utf-8").splitlines()
    logits = logits_of(net, network.tokenizer_of(work), [for_encoder(text) for text in texts])
    lines = [
        {
            "text": text,
            "sentiment": round(sentiment_of(row, numbers).score, 4),
            "crisis": round(crisis_of(row, numbers), 4),
            "urgency": round(urgency_of(row, numbers).score, 4),
        }
        for text, row in zip(texts, logits.tolist(), strict=True)
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "reference.jsonl").write_text(text, encoding="utf-8")


def toml(values: dict[str, object]) -> str:
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
    )


def manifest(folder: Path, version: str, numbers: Calibration, measured: list[dict]) -> str:
    files = ("model.onnx", "tokenizer.json", "reference.jsonl")
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    head = {
        "name": NAME,
        "version": version,
        "licence": LICENCE,
        "labels": OUTPUTS,
        "max_length": MAX_LENGTH,
        "processor": processor(),
    }
    parts = [toml(head), "\n[files]\n", toml({f'"{k}"': v for k, v in hashes.items()})]
    parts += ["\n[calibration]\n", toml(_fields(numbers))]
    for name, split, licence, use in SETS:
        rows = sum(row["label"] != "mixed" for row in corpus.read_jsonl(name, split))
        parts += [
            "\n[[training]]\n",
            toml({"name": name, "rows": rows, "licence": licence, "use": use}),
        ]
    own = {"name": "sentences_fr", "rows": len(corpus.ours()), "licence": "EUPL-1.2 (ours)"}
    parts += ["\n[[training]]\n", toml({**own, "use": "urgency, sentiment, crisis"})]
    for item in measured:
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in item.items()}
        parts += ["\n[[measured]]\n", toml(rounded)]
    return "".join(parts)


def _fields(numbers: Calibration) -> dict[str, object]:
    return {name: getattr(numbers, name) for name in numbers.__struct_fields__}


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    vnni = "with" if any("avx512_vnni" in line for line in lines) else "without"
    return f"{name}, {vnni} AVX-512 VNNI"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="the exported fp32 weights")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    parser.add_argument("--version", required=True)
    parser.add_argument("--measured", type=Path, help="JSON written by benchmarks/evaluate.py")
    args = parser.parse_args()
    if args.measured:
        numbers = read_manifest(args.out).calibration
        measured = json.loads(args.measured.read_text())
    else:
        shutil.copy(args.work / "tokenizer.json", args.out / "tokenizer.json")
        numbers, measured = calibrate(args.out), []
        write_reference(network.load(args.work, args.run), args.work, args.out, numbers)
    text = manifest(args.out, args.version, numbers, measured)
    (args.out / "model.toml").write_text(text, encoding="utf-8")
    print(_fields(numbers))


if __name__ == "__main__":
    main()
