"""One loaded analyst for all tests of the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from veille.nlp.analyst import Analyst
from veille.nlp.load import load_analyst
from veille.nlp.settings import ModelSettings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow for loading spaCy and the network, which the first test of a run pays for."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def analyst() -> Iterator[Analyst]:
    loaded = load_analyst(ModelSettings())
    yield loaded
    loaded.close()
