"""What `veille models calibrate` does: judged texts in, figures before and after, a file out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec
import tomlkit

from veille.app.evaluation import logits_of
from veille.domain.correction import CHOICES, Judged
from veille.domain.errors import InputError
from veille.domain.text import fold
from veille.nlp import calibration
from veille.nlp.analyst import Analyst
from veille.nlp.calibration import Comparison, Judgements
from veille.nlp.manifest import Manifest
from veille.nlp.metrics import Numbers
from veille.nlp.prepare import for_encoder, legible
from veille.nlp.recalibrated import CalibrationFile, Heads, identity

Report = Callable[[int, float | None], None]
_ELSEWHERE = {
    "target": "not calibrated: it has no threshold, the likeliest is said",
    "topic": "not calibrated: edit the words and examples of topics.yml",
}


_FOREIGN = "not calibrated: [models] encoder says it, and nothing calibrates that classifier"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One head: how many different texts were judged, and the comparison or why there is none."""

    head: str
    n: int
    confirmed: int
    refused: str | None = None
    comparison: Comparison | None = None


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """All heads, and the file that could be used; None when no head would get better."""

    model: str
    outcomes: tuple[Outcome, ...]
    file: CalibrationFile | None


def calibrate(
    judged: Sequence[Judged],
    manifest: Manifest,
    load: Callable[[], Analyst],
    *,
    now: datetime,
    report: Report,
    foreign: Collection[str] = (),
) -> Calibrated:
    """Return each head before and after; the file holds only heads that surely get better.

    The model is loaded only if a head has judgements enough. `foreign` heads are not the manifest's
    own: refused. Copies of a text count once, with the labels of the newest: else the same text
    would be fitted and held out.
    """
    texts = [each for each in judged if legible(for_encoder(each.text))]
    analyst = cache(load)

    def read(found: Sequence[str]) -> Numbers:
        return logits_of(analyst(), found, lambda done: report(done, len(found)))

    refused = {**_ELSEWHERE, **dict.fromkeys(foreign, _FOREIGN)}
    outcomes = tuple(
        _outcome(manifest, head, texts, now=now, read=read, refused=refused.get(head))
        for head in CHOICES
    )
    better = {
        each.head: each.comparison.numbers
        for each in outcomes
        if each.comparison is not None and each.comparison.is_better
    }
    file = CalibrationFile(
        model=identity(manifest),
        made_at=now.isoformat(timespec="seconds"),
        calibration=msgspec.structs.replace(Heads(), **better),
    )
    return Calibrated(model=identity(manifest), outcomes=outcomes, file=file if better else None)


def write(path: Path, file: CalibrationFile) -> None:
    """The file stands at `path`, which must not exist yet. InputError when it cannot be written."""
    document = tomlkit.document()
    document.add(
        tomlkit.comment("made by `veille models calibrate`; [models] calibration names it")
    )
    # without what is None: TOML has no null
    for key, value in msgspec.to_builtins(file).items():
        document.add(key, _filled(value))
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(tomlkit.dumps(document))
    except FileExistsError as error:
        raise InputError(f"{path} exists: nothing was written; name another file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _outcome(
    manifest: Manifest,
    head: str,
    texts: Sequence[Judged],
    *,
    now: datetime,
    read: Callable[[Sequence[str]], Numbers],
    refused: str | None,
) -> Outcome:
    mine = list({_plain(each.text): each for each in texts if head in each.labels}.values())
    confirmed = sum(each.machine.get(head) == each.labels[head] for each in mine)
    plain = Outcome(head=head, n=len(mine), confirmed=confirmed)
    if refused is not None:
        return msgspec.structs.replace(plain, refused=refused)
    gold = calibration.gold_of(manifest, head, [each.labels[head] for each in mine])
    if (why := calibration.why_not(head, gold, confirmed)) is not None:
        return msgspec.structs.replace(plain, refused=why)
    logits = read([each.text for each in mine])
    judged = Judgements(head=head, logits=logits, gold=gold, confirmed=confirmed)
    origin = f"{len(mine)} texts judged by staff until {now.date().isoformat()}"
    found = calibration.compare(manifest, judged, origin=origin)
    return msgspec.structs.replace(plain, comparison=found)


def _plain(text: str) -> str:
    """Return what copies of a text have in common: what the network reads, but for capitals."""
    return fold(for_encoder(text))


def _filled(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: _filled(each) for key, each in value.items() if each is not None}
