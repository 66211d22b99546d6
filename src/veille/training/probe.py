"""A head to begin with: a linear classifier of frozen vectors, which fine-tuning then improves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from veille.domain.errors import ConfigError
from veille.training.corpus import Row
from veille.training.labels import SPANS, is_score
from veille.training.network import Network

STRENGTH = 0.01  # inverse regularisation: from .003 to .03 intent and topic differ by half a point
STEPS = 400


def probe(
    net: Network, vectors: NDArray[np.float32], rows: Sequence[Row], heads: Sequence[str]
) -> None:
    """Set the heads of the network to logistic regressions fitted on the rows' pooled vectors."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(vectors)
    scaled = scale.transform(vectors)
    for head in heads:
        known = [i for i, row in enumerate(rows) if head in row.labels]
        gold = [rows[i].labels[head] for i in known]
        if len(set(gold)) < 2:  # noqa: PLR2004  nothing to tell apart
            raise ConfigError(f"the training texts have fewer than two labels of {head}: add some")
        found = LogisticRegression(C=STRENGTH, max_iter=STEPS).fit(scaled[known], gold)
        weight = found.coef_ / scale.scale_
        bias = found.intercept_ - weight @ scale.mean_
        if not is_score(head) and len(weight) == 1:  # two labels: half of the difference each
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        first = SPANS[head].start
        # Labels that no row has keep what they were drawn with.
        at = [first] if is_score(head) else [first + int(label) for label in found.classes_]
        with torch.no_grad():
            net.head.weight[at] = torch.tensor(weight, dtype=torch.float32)
            net.head.bias[at] = torch.tensor(bias, dtype=torch.float32)
