"""The summary as it is read: sections and tables that every format renders alike."""

from __future__ import annotations

from dataclasses import dataclass

from veille.reports.chart import Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells as read; the first of a row is its header. `bars`: a width in [0, 100] for each row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A mention as written, and a line that says where and when; `lang` only if it is foreign."""

    about: str
    text: str
    lang: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, sentences, at most one chart and one table, quotes."""

    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    quotes: tuple[Quote, ...] = ()
    is_small: bool = False
    chart: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole summary; `lead` says how the week was, and why."""

    language: str
    title: str
    subject: str
    lead: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str
