"""`veille analyze`: one JSON object a line, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option
from veille.domain.analysis import Analysis
from veille.domain.errors import MentionError

CHUNK = 64
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    id: str
    text: str
    error: str | None = None


def _read(stream: BinaryIO) -> Iterator[_Line]:
    from veille.collectors.interchange import parse_line

    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(BOM if number == 1 else b"").rstrip(b"\r\n")
        if not line.strip():
            yield _Line(number=number, id="", text="", error="blank line")
        elif line[:1] == b"{":
            try:
                mention = parse_line(line, number=number, source=None)
            except MentionError as error:
                reason = str(error).removeprefix(f"line {number}: ")
                yield _Line(number=number, id="", text="", error=reason)
            else:
                yield _Line(number=number, id=mention.id, text=mention.text)
        else:
            try:
                yield _Line(number=number, id=str(number), text=line.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield _Line(number=number, id="", text="", error=f"not UTF-8 at byte {error.start}")


def analysis_json(found: Analysis) -> dict[str, Any]:  # Any: the shape of the JSON printed
    """Return an analysis as every command prints it, scores with four decimals."""

    def score(value: float) -> float:
        return round(value, 4)

    return {
        "lang": found.lang,
        "sentiment": {
            "label": found.sentiment.label,
            "score": score(found.sentiment.score),
            "probabilities": {k: score(v) for k, v in found.sentiment.probabilities.items()},
        },
        "crisis": {"score": score(found.crisis)},
        "urgency": {"label": found.urgency.label, "score": score(found.urgency.score)},
        "entities": [
            {"label": e.label, "text": e.text, "start": e.start, "end": e.end}
            for e in found.entities
        ],
        "analyzers": dict(found.analyzers),
    }


def _say(line: _Line, found: Analysis) -> str:
    entities = ", ".join(e.text for e in found.entities) or "-"
    return (
        f"{line.id}\t{found.lang}\t{found.sentiment.label} {found.sentiment.score:+.2f}\t"
        f"crisis {found.crisis:.2f}\t{found.urgency.label} {found.urgency.score:.2f}\t{entities}"
    )


@click.command("analyze")
@click.argument("file", type=click.File("rb"), default="-")
@json_option
@config_option
@click.pass_context
def command(ctx: click.Context, file: BinaryIO, as_json: bool, config_path: Path | None) -> None:
    """Print what the model understands of each line of FILE (- or nothing: standard input).

    A line that begins with { is mention JSON, any other is plain text with its line number as id.
    Blank and bad lines give {"line", "error"} and exit status 1. No watch filters, nothing is
    stored, and no configuration is read unless --config names one.
    """
    from veille.app.parts import load_analyst
    from veille.config import load

    path = chosen(ctx, config_path)
    analyst = load_analyst(load(path) if path else None)
    has_bad, done = False, 0
    lines = _read(file)
    is_wanted = not sys.stdout.isatty()  # lines that appear are progress enough
    with progress("analyze", unit="lines", is_wanted=is_wanted) as report:
        while chunk := list(islice(lines, CHUNK)):
            good = [line for line in chunk if line.error is None]
            found = dict(
                zip((g.number for g in good), analyst.analyze([g.text for g in good]), strict=True)
            )
            for line in chunk:
                has_bad |= line.error is not None
                _print(line, found.get(line.number), as_json=as_json)
            sys.stdout.flush()
            done += len(chunk)
            report(done, _expected(file, done))
    if has_bad:
        sys.exit(1)


def _expected(file: BinaryIO, done: int) -> float | None:
    """Return about how many lines a file has, None for a pipe."""
    try:
        size, read = os.fstat(file.fileno()).st_size, file.tell()
    except OSError:
        return None
    return done * size / read if size and read else None


def _print(line: _Line, found: Analysis | None, *, as_json: bool) -> None:
    if found is None:
        error = {"line": line.number, "error": line.error}
        if as_json:
            click.echo(msgspec.json.encode(error))
        else:
            click.echo(f"line {line.number}: {line.error}", err=True)
        return
    if as_json:
        click.echo(msgspec.json.encode({"id": line.id, **analysis_json(found)}))
    else:
        click.echo(_say(line, found))
