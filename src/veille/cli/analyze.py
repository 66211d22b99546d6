"""`veille analyze`: one JSON object a line, in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

import click
import msgspec

from veille.cli.findings import analysis_json, analysis_line, spans_json, spans_line
from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option
from veille.domain.analysis import Analysis, Passage
from veille.domain.errors import MentionError

if TYPE_CHECKING:
    from veille.domain.mention import Mention
    from veille.nlp.analyst import Analyst
    from veille.nlp.clusters import Clusters

CHUNK = 128
BOM = b"\xef\xbb\xbf"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When plain lines came, where no line before has a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """`at` and `author` only where the line is mention JSON."""

    number: int
    id: str
    text: str
    error: str | None = None
    at: datetime | None = None
    received_at: datetime | None = None
    author: str | None = None
    has_media: bool = False


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
                yield _of_mention(number, mention)
        else:
            try:
                yield _Line(number=number, id=str(number), text=line.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield _Line(number=number, id="", text="", error=f"not UTF-8 at byte {error.start}")


def _of_mention(number: int, mention: Mention) -> _Line:
    return _Line(
        number=number,
        id=mention.id,
        text=mention.text,
        at=mention.created_at,
        received_at=mention.received_at or mention.created_at,
        author=mention.author.id if mention.author and not mention.own else None,
        has_media=bool(mention.media),
    )


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads lines in order: each alone, and then what it has in common with those before."""

    analyst: Analyst
    clusters: Clusters
    territory: frozenset[str]
    zone: ZoneInfo
    now: datetime = _EPOCH

    def read(self, lines: Sequence[_Line]) -> list[Analysis]:
        found = self.analyst.analyze([self.passage(line) for line in lines])
        return [self._clustered(*pair) for pair in zip(lines, found, strict=True)]

    def passage(self, line: _Line) -> Passage:
        return Passage(
            text=line.text,
            at=line.at and line.at.astimezone(self.zone),
            territory=self.territory,
            has_media=line.has_media,
        )

    def _clustered(self, line: _Line, found: Analysis) -> Analysis:
        from veille.pipeline.clustering import NAME, VERSION

        self.now = line.received_at or self.now
        # by number too: two lines may have one id
        key = f"{line.number}:{line.id}"
        cluster = self.clusters.add(key, line.text, line.author, self.now)
        cluster = replace(cluster, id=cluster.id.partition(":")[2])
        return replace(found, cluster=cluster, analyzers={**found.analyzers, NAME: VERSION})


def _codes(_: click.Context, __: click.Parameter, codes: Sequence[str]) -> frozenset[str]:
    from veille.config import Place

    try:
        return frozenset(msgspec.convert(code, Place) for code in codes)
    except msgspec.ValidationError as error:
        wanted = "an INSEE code such as 93066, or the number of a département"
        raise click.BadParameter(f"{', '.join(codes)}: give {wanted}") from error


@click.command("analyze")
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--territory",
    metavar="CODE",
    multiple=True,
    callback=_codes,
    help="INSEE code or département the texts are about: it settles homonyms; repeat it",
)
@click.option("--explain", is_flag=True, help="add the words that carried each label; slow")
@json_option
@config_option
@click.pass_context
def command(
    ctx: click.Context,
    file: BinaryIO,
    territory: frozenset[str],
    explain: bool,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Print what the model understands of each line of FILE (- or nothing: standard input).

    A line that begins with { is mention JSON, any other is plain text with its line number as id.
    Blank and bad lines give {"line", "error"} and exit status 1. No watch filters, nothing is
    stored, and no configuration is read unless --config names one.
    """
    from veille.app.parts import load_analyst, surroundings
    from veille.config import load
    from veille.nlp.clusters import Clusters

    path = chosen(ctx, config_path)
    loaded = load(path) if path else None
    reader = _Reader(
        analyst=load_analyst(loaded),
        clusters=Clusters(),
        territory=territory,
        zone=surroundings(loaded).zone,
    )
    has_bad, done = False, 0
    lines = _read(file)
    is_wanted = not sys.stdout.isatty()  # lines that appear are progress enough
    with progress("analyze", unit="lines", is_wanted=is_wanted) as report:
        while chunk := list(islice(lines, CHUNK)):
            good = [line for line in chunk if line.error is None]
            found = dict(zip((line.number for line in good), reader.read(good), strict=True))
            for line in chunk:
                has_bad |= line.error is not None
                analysis = found.get(line.number)
                if analysis is None:
                    _complain(line, as_json=as_json)
                elif as_json:
                    click.echo(_json(line, analysis, reader if explain else None))
                else:
                    click.echo(_say(line, analysis, reader if explain else None))
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


def _complain(line: _Line, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"line": line.number, "error": line.error}))
    else:
        click.echo(f"line {line.number}: {line.error}", err=True)


def _json(line: _Line, found: Analysis, explainer: _Reader | None) -> bytes:
    said = {"id": line.id, **analysis_json(found)}
    if explainer is not None:
        said["spans"] = spans_json(explainer.analyst.explain(explainer.passage(line)))
    return msgspec.json.encode(said)


def _say(line: _Line, found: Analysis, explainer: _Reader | None) -> str:
    said = f"{line.id}\t{analysis_line(found)}"
    if explainer is not None:
        said += f"\twhy {spans_line(explainer.analyst.explain(explainer.passage(line)))}"
    return said
