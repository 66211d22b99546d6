"""What `veille doctor` looks at on the machine: software, disk, clock, store, model, rules."""

from __future__ import annotations

import os
import platform
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from veille import __version__
from veille.app import parts
from veille.app.check import rules_report
from veille.app.lock import is_held
from veille.config import Loaded
from veille.domain.errors import VeilleError
from veille.nlp.load import read_references
from veille.nlp.parity import MEAN_LIMIT, Gap, mean_gap
from veille.nlp.reference import differences, distances
from veille.pipeline.upkeep import DISK_LOW_RATIO, free_ratio
from veille.store.engine import connect_look, library
from veille.store.upkeep import quick_check
from veille.wording.catalogue import Catalogue
from veille.wording.format import number, percent
from veille.wording.reasons import listed

CHECK_S = 20.0
"""A store is looked through for this long at most."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class State(StrEnum):
    """How something is."""

    FINE = "fine"
    CAUTION = "caution"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: `area` from a closed set, `text` in words, `remedy` if it needs one."""

    area: str
    text: str
    state: State = State.FINE
    remedy: str = ""


def software(say: Catalogue) -> Iterator[Check]:
    """Yield the state of Python, the packages and SQLite."""
    python = platform.python_version()
    yield Check(area="python", text=say("start.doctor.python", version=__version__, python=python))
    missing, count = [], 0
    for requirement in metadata.requires("veille") or ():
        name = _NAME.match(requirement)
        if name is None or "extra ==" in requirement:
            continue
        count += 1
        try:
            metadata.version(name[0])
        except metadata.PackageNotFoundError:
            missing.append(name[0])
    if missing:
        text = say("start.doctor.packages_missing", names=", ".join(missing))
        yield _problem("packages", text, say("start.doctor.install"))
    else:
        yield Check(area="packages", text=say("start.doctor.packages", count=count))
    yield from _sqlite(say)


def _sqlite(say: Catalogue) -> Iterator[Check]:
    found = library()
    text = say("start.doctor.sqlite", version=found.version)
    if not found.has_fts5:
        remedy = say("start.doctor.sqlite_remedy")
        yield _problem("sqlite", say("start.doctor.no_fts5", version=found.version), remedy)
    elif not found.is_safe:
        yield Check(
            area="sqlite",
            text=text,
            state=State.CAUTION,
            remedy=say("start.doctor.sqlite_remedy"),
        )
    else:
        yield Check(area="sqlite", text=text)


def places(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    """Yield the state of the data folder, the disk, the secrets file and the store."""
    folder = loaded.resolve(loaded.config.veille.data_dir)
    if not folder.is_dir():
        yield Check(
            area="data",
            text=say("start.doctor.no_data", folder=folder),
            state=State.CAUTION,
            remedy=say("start.doctor.no_data_remedy"),
        )
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        text = say("start.doctor.data_open", folder=folder)
        yield _problem("data", text, f"chmod 700 {folder}")
    else:
        yield Check(area="data", text=say("start.doctor.data", folder=folder))
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    ratio = free_ratio(nearest)
    text = say("start.doctor.disk", free=percent(say, ratio))
    if ratio < DISK_LOW_RATIO:
        yield _problem("disk", text, say("start.doctor.disk_remedy"))
    else:
        yield Check(area="disk", text=text)
    yield _secrets(loaded, say)
    yield from _store(folder / "veille.db", say)


def _secrets(loaded: Loaded, say: Catalogue) -> Check:
    if loaded.secrets.trouble:
        return _problem("secrets", loaded.secrets.trouble, say("start.doctor.config_remedy"))
    path = loaded.resolve(loaded.config.veille.secrets)
    if path.is_file() and loaded.config.privacy.key in loaded.secrets:
        return Check(area="secrets", text=say("start.doctor.secrets", path=path))
    key = loaded.config.privacy.key
    if key in loaded.secrets:
        return Check(area="secrets", text=say("start.doctor.credentials"))
    return Check(
        area="secrets",
        text=say("start.doctor.no_key", secret=key),
        state=State.CAUTION,
        remedy=say("start.doctor.no_key_remedy", secret=key, path=path),
    )


def _store(path: Path, say: Catalogue) -> Iterator[Check]:
    if not path.is_file():
        yield Check(area="store", text=say("start.doctor.no_store"))
        return
    if not os.access(path, os.R_OK | os.W_OK):
        text = say("start.doctor.store_closed", path=path)
        yield _problem("store", text, say("start.doctor.owner", path=path))
        return
    try:
        with closing(connect_look(path)) as db:
            is_whole = quick_check(db, limit_s=CHECK_S)
    except VeilleError as error:
        yield _problem("store", str(error), say("start.doctor.store_remedy"))
        return
    key = "start.doctor.store" if is_whole else "start.doctor.store_large"
    yield Check(area="store", text=say(key, path=path, seconds=f"{CHECK_S:.0f}"))


def is_running(loaded: Loaded) -> bool:
    """Whether a daemon runs on the data folder of this configuration."""
    return is_held(loaded.resolve(loaded.config.veille.data_dir) / "veille.lock")


def clock(loaded: Loaded, say: Catalogue, now: datetime) -> Check:
    """Return whether the clock can be right: not before the configuration was written."""
    written = datetime.fromtimestamp(loaded.path.stat().st_mtime, now.tzinfo)
    text = say("start.doctor.clock", now=now.isoformat(timespec="seconds"))
    if now < written:
        return _problem("clock", text, say("start.doctor.clock_remedy"))
    return Check(area="clock", text=text)


def understanding(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    """Yield the state of the model, by its reference sentences, and of the rules, by their tests.

    The files of a model that loads have the recorded SHA-256.
    """
    try:
        analyst = parts.load_analyst(loaded)
    except VeilleError as error:
        yield _problem("model", str(error), say("start.doctor.install"))
    else:
        try:
            wrong = differences(analyst)
            references = read_references(parts.model_settings(loaded), analyst.manifest)
            far = distances(analyst, references)
        finally:
            analyst.close()
        name = f"{analyst.manifest.name} {analyst.manifest.version}"
        if wrong:
            text = say("start.doctor.model_wrong", name=name, wrong=listed(wrong, say))
            yield _problem("model", text, say("start.doctor.install"))
        else:
            yield Check(area="model", text=say("start.doctor.model", name=name))
        if far:
            yield _arithmetic(far, say)
    yield from _rules(loaded, say)


def _arithmetic(far: Mapping[str, Gap], say: Catalogue) -> Check:
    """Return how far this processor's scores are from those the model was published with."""
    mean, worst = mean_gap(far), max(gap.worst for gap in far.values())
    values = {
        "count": max(gap.n for gap in far.values()),
        "mean": number(say, mean, decimals=3),
        "worst": number(say, worst, decimals=2),
        "limit": number(say, MEAN_LIMIT, decimals=2),
    }
    if mean > MEAN_LIMIT:
        remedy = say("start.doctor.scores_remedy")
        return _problem("model", say("start.doctor.scores_far", **values), remedy)
    return Check(area="model", text=say("start.doctor.scores", **values))


def _rules(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    folder = parts.rules_folder(loaded)
    try:
        report = rules_report((), loaded)
    except VeilleError as error:
        yield _problem("rules", str(error), say("start.doctor.rules_remedy", folder=folder))
        return
    for finding in report.findings:
        yield _problem("rules", str(finding), say("start.doctor.rules_remedy", folder=folder))
    if report.is_ok:
        text = say("start.doctor.rules", rules=len(report.rules), passed=report.passed)
        yield Check(area="rules", text=text)


def _problem(area: str, text: str, remedy: str) -> Check:
    return Check(area=area, text=text, state=State.PROBLEM, remedy=remedy)
