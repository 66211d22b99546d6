"""What every test starts from."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import structlog

from veille.nlp import load
from veille.store.engine import connect

# a hundred programs start in these tests: each would compile veille anew, in a second of its own
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# no test judges how fast a machine is
hypothesis.settings.register_profile("veille", deadline=None)
hypothesis.settings.load_profile("veille")


@pytest.hookimpl(trylast=True)  # folders give their tests more time before
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest, so that two workers end together."""
    limits: dict[Path, float] = defaultdict(float)
    for item in items:
        mark = item.get_closest_marker("timeout")
        limits[item.path] = max(limits[item.path], mark.args[0] if mark else 0)
    items.sort(key=lambda item: -limits[item.path])


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector does not look there again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a row: a copy opens in a sixth of the time that a new one takes."""
    path = tmp_path_factory.mktemp("blank") / "veille.db"
    connect(path, is_durable=False).close()
    return path


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """What a model is built of, once for the same bytes: commands in a test load it as they do.

    Files are read and their sums compared each time; what follows from them changes no more.
    """
    parts = ("read_gazetteer", "load_languages", "load_entity_model", "EntityFinder", "_tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        for part in (*parts, "_session"):
            patch.setattr(load, part, cache(getattr(load, part)))
        yield


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """A command run inside a test sets the logs of the process; the next test has its own."""
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers
