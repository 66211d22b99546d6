"""Whatever takes seconds to load, loaded once for all tests of the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veille.app.parts import load_analyst
from veille.nlp.analyst import Analyst
from veille.nlp.encoder import Encoder
from veille.nlp.entities import EntityFinder
from veille.nlp.load import load_encoder, load_entity_model
from veille.nlp.manifest import Manifest
from veille.nlp.settings import ModelSettings

if TYPE_CHECKING:
    from spacy.language import Language

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Time the tests alone: what loads spaCy and the network takes as long as the machine lets."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(120, func_only=True))


@pytest.fixture(scope="session")
def analyst() -> Iterator[Analyst]:
    loaded = load_analyst(None)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def shipped_model() -> Iterator[tuple[Manifest, Encoder]]:
    manifest, encoder = load_encoder(ModelSettings(threads=2))
    yield manifest, encoder
    encoder.close()


@pytest.fixture(scope="session")
def entity_model() -> Language:
    return load_entity_model()


@pytest.fixture(scope="session")
def finder(entity_model: Language) -> EntityFinder:
    return EntityFinder(entity_model)
