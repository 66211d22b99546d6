"""One run of fine-tuning: AdamW, layer-wise rates, warm-up then linear decay, last step kept.

The embeddings stay as they are, and nothing is picked on dev inside a run. A checkpoint holds
weights, optimiser and the state of chance, so that a run that was killed ends with the same bits
as one that was not (on as many threads of the same processor).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veille.training.network import BATCH, Network
from veille.training.work import Report, replaced

if TYPE_CHECKING:
    from torch import Tensor

DECAY = 0.9  # of the learning rate, from each layer to the one below
HEAD_RATE = 5  # times the rate of the highest layer
WARM = 0.1  # share of the steps in which the rate rises
SORTED_BATCHES = 16  # drawn together and sorted by length: less padding, still mixed
CHECKPOINT_EVERY = 100  # steps: about two minutes on one core, 310 MB written

Loss = Callable[["Tensor", "Tensor", Sequence[int]], "Tensor"]
"""Logits, pooled vectors and the numbers of the texts of a batch, to what they cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one run is made; `checkpoint` is written every `every` steps."""

    lr: float
    seed: int
    checkpoint: Path
    every: int


def fit(
    net: Network, ids: Sequence[Sequence[int]], loss_of: Loss, course: Course, report: Report
) -> None:
    """Train the network on the texts, going on from the checkpoint if there is one."""
    import torch

    torch.manual_seed(course.seed)  # dropout
    plan = list(batches([len(row) for row in ids], random.Random(course.seed)))  # noqa: S311
    optimizer = torch.optim.AdamW(_groups(net, course.lr), betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: _rate(at, len(plan)))
    done = _restored(net, optimizer, schedule, course.checkpoint)
    net.train(is_on=True)
    for step in range(done, len(plan)):
        logits, vectors = net([ids[i] for i in plan[step]])
        loss = loss_of(logits, vectors, plan[step])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report(step + 1 - done, len(plan) - done)
        if (step + 1) % course.every == 0:
            _saved(step + 1, net, optimizer, schedule, course.checkpoint)


def batches(lengths: Sequence[int], rng: random.Random) -> Iterator[list[int]]:
    """Yield the numbers of all texts, each once, in batches of texts of like length."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    cut = []
    for start in range(0, len(order), BATCH * SORTED_BATCHES):
        chunk = sorted(order[start : start + BATCH * SORTED_BATCHES], key=lambda i: lengths[i])
        cut += [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
    rng.shuffle(cut)
    yield from cut


def _groups(net: Network, lr: float) -> list[dict[str, Any]]:  # Any: torch's own form
    net.encoder.embeddings.requires_grad_(requires_grad=False)
    layers = net.layers
    found = [{"params": net.head.parameters(), "lr": HEAD_RATE * lr}]
    for depth, layer in enumerate(layers):
        found.append({"params": layer.parameters(), "lr": lr * DECAY ** (len(layers) - 1 - depth)})
    return found


def _rate(step: int, steps: int) -> float:
    warm = max(1, int(steps * WARM))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm))


def _saved(step: int, net: Network, optimizer: Any, schedule: Any, path: Path) -> None:  # torch's
    import torch

    state = {
        "step": step,
        "net": net.state(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "chance": torch.get_rng_state(),
    }
    with replaced(path) as beside:
        torch.save(state, beside)


def _restored(net: Network, optimizer: Any, schedule: Any, path: Path) -> int:  # torch's
    """Return how many steps are done, all put back as they were then."""
    import torch

    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    net.load(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["chance"])
    return int(state["step"])
