"""The summary as Markdown, HTML, JSON and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TypeAlias

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from veille.reports.figures import Summary
from veille.reports.page import Page, Section, Table
from veille.wording.export import harmless

_MARKUP = re.compile(r"[\\`*<|~]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|&(?=#?\w+;)")
_BLOCK = re.compile(r"^(\d*)(?=[-+=#>.)])(?=#*>|#+(?:\s|$)|[-+=.)](?:\s|$|[-=]))")
_NAMES = ("name", "day", "rule", "receiver", "source", "id")
"""What names an item of a list, the first that it has."""

Plain: TypeAlias = Mapping[str, "Plain"] | list["Plain"] | str | int | float | bool | None


def to_json(summary: Summary) -> str:
    """Return one JSON object with a line feed, its keys always the same and in the same order."""
    return msgspec.json.encode(summary).decode() + "\n"


def to_csv(summary: Summary) -> str:
    """Return lines of section, name, figure, value, as RFC 4180 writes them.

    Text that a spreadsheet would take for a formula is prefixed by an apostrophe; numbers are not.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("section", "name", "figure", "value"))
    whole: Mapping[str, Plain] = msgspec.to_builtins(summary)
    for section, value in whole.items():
        for name, figure, plain in _flat(value, "", ""):
            writer.writerow((section, _cell(name), _cell(figure), _cell(plain)))
    return out.getvalue()


def _flat(value: Plain, name: str, figure: str) -> Iterator[tuple[str, str, Plain]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _flat(inner, name, f"{figure}.{key}" if figure else key)
        case list():
            for inner in value:
                if isinstance(inner, dict):
                    own = next((str(inner[key]) for key in _NAMES if key in inner), "")
                    yield from _flat(inner, own, figure)
        case _:
            yield name, figure, value


def _cell(value: Plain) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return harmless(value)
        case _:
            return str(value)


def to_markdown(page: Page) -> str:
    """Return CommonMark with pipe tables; nothing of a mention or a name acts as markup."""
    blocks = [f"# {_md(page.title)}", f"**{_md(page.lead)}**", *map(_md, page.notes)]
    for section in page.sections:
        blocks += _blocks(section)
    return "\n\n".join([*blocks, "---", _md(page.footer)]) + "\n"


def _blocks(section: Section) -> Iterator[str]:
    yield f"## {_md(section.title)}"
    if section.is_small:
        yield "\n".join(f"- {_md(sentence)}" for sentence in section.sentences)
    else:
        yield from map(_md, section.sentences)
    if section.table is not None:
        yield _pipes(section.table)
    for quote in section.quotes:
        yield f"{_md(quote.about)}\n\n> {_md(quote.text)}"


def _pipes(table: Table) -> str:
    rule = ("---", *("---:" for _ in table.head[1:]))
    lines = [tuple(map(_md, table.head)), rule, *(tuple(map(_md, row)) for row in table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _md(text: str) -> str:
    line = " ".join(text.split("\n"))
    return _BLOCK.sub(r"\1\\", _MARKUP.sub(lambda found: f"\\{found[0]}", line))


def to_html(page: Page) -> str:
    """Return one page that stands alone and is a mail too: no script, nothing from outside."""
    return _template().render(page=page)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("veille.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("weekly.html")
