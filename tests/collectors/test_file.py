"""A file is read line by line from its cursor; rotation, truncation and bad lines lose nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from veille.collectors import file as file_module
from veille.collectors.base import FileSource
from veille.collectors.file import FileCollector
from veille.domain.errors import SourceError


def line(number: int) -> str:
    fields = {"id": str(number), "text": "eau", "created_at": "2026-01-18T02:00:00Z"}
    return json.dumps(fields) + "\n"


def lines(start: int, stop: int) -> str:
    return "".join(line(n) for n in range(start, stop))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mentions.jsonl"


def collector(path: Path, *, follow: bool = True) -> FileCollector:
    return FileCollector(FileSource(id="f", path=str(path), follow=follow))


async def everything(
    reader: FileCollector, cursor: str | None = None
) -> tuple[list[str], str | None]:
    ids: list[str] = []
    while True:
        batch = await reader.read(cursor)
        ids += [m.id for m in batch.mentions]
        if batch.cursor == cursor:
            return ids, cursor
        cursor = batch.cursor


def numbers(start: int, stop: int) -> list[str]:
    return [str(n) for n in range(start, stop)]


async def test_batches_are_bounded_and_together_hold_every_line(path: Path) -> None:
    path.write_text(lines(0, 1_203))
    reader = collector(path)
    assert len((await reader.read(None)).mentions) == 500
    assert (await everything(reader))[0] == numbers(0, 1_203)


async def test_the_same_cursor_gives_the_same_batch_again(path: Path) -> None:
    path.write_text(lines(0, 5))
    reader = collector(path)
    assert await reader.read(None) == await reader.read(None)


async def test_an_unfinished_line_waits_for_its_end(path: Path) -> None:
    path.write_text(line(0) + line(1)[:20])
    ids, cursor = await everything(collector(path))
    assert ids == ["0"]
    with path.open("a") as file:
        file.write(line(1)[20:])
    assert (await everything(collector(path), cursor))[0] == ["1"]


async def test_without_follow_the_last_line_needs_no_end(path: Path) -> None:
    path.write_text(line(0) + line(1).rstrip())
    ids, cursor = await everything(collector(path, follow=False))
    assert ids == ["0", "1"]
    assert (await everything(collector(path, follow=False), cursor))[0] == []


async def test_rotation_loses_neither_the_old_end_nor_the_new_start(path: Path) -> None:
    path.write_text(lines(0, 2))
    _, cursor = await everything(collector(path))
    with path.open("a") as file:
        file.write(lines(2, 4))
    path.rename(path.with_name("mentions.jsonl.1"))
    path.write_text(lines(4, 6))
    assert (await everything(collector(path), cursor))[0] == numbers(2, 6)


async def test_a_truncated_file_is_read_from_its_start(path: Path) -> None:
    path.write_text(lines(0, 9))
    _, cursor = await everything(collector(path))
    os.truncate(path, 0)
    with path.open("a") as file:
        file.write(lines(20, 22))
    assert (await everything(collector(path), cursor))[0] == ["20", "21"]


async def test_a_rewritten_file_is_noticed_even_if_it_is_longer(path: Path) -> None:
    path.write_text(lines(0, 2))
    _, cursor = await everything(collector(path))
    with path.open("r+") as file:
        file.write(lines(50, 60))
    assert (await everything(collector(path), cursor))[0] == numbers(50, 60)


async def test_bad_lines_are_reported_with_their_number_in_the_file(path: Path) -> None:
    path.write_bytes((lines(0, 600) + "{\n" + line(600)).encode() + b"\xff\n" + line(601).encode())
    reader = collector(path)
    first = await reader.read(None)
    second = await reader.read(first.cursor)
    assert [r.line for r in second.rejected] == [601, 603]
    assert [m.id for m in second.mentions] == numbers(500, 602)


@pytest.mark.parametrize("length", [1_000, 2_000, 3_500])
async def test_a_line_that_is_too_long_is_passed_over_once(
    path: Path, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "MAX_LINE_BYTES", 500)
    path.write_text(line(0) + "x" * length + "\n" + line(1) + "{\n" + line(2))
    ids: list[str] = []
    rejected: list[int] = []
    cursor: str | None = None
    while (batch := await collector(path).read(cursor)).cursor != cursor:
        cursor = batch.cursor
        ids += [m.id for m in batch.mentions]
        rejected += [r.line for r in batch.rejected]
    assert ids == ["0", "1", "2"]
    assert rejected == [2, 4]


async def test_what_is_hostile_is_refused_in_words_or_shortened_and_takes_nothing_with_it(
    path: Path,
) -> None:
    def said(text: str, id: str = "") -> bytes:
        fields = {"id": id or text[:3], "text": text, "created_at": "2026-01-18T02:00:00Z"}
        return json.dumps(fields).encode()

    raw = (
        said("one"),
        said("big" + "x" * 5_000_000),
        said("nul\x00nul"),
        said("raw").replace(b"raw", b"r\x00w"),
        said("emo" + "\U0001f525" * 100_000),
        b"\x00" * 1000,
        said("\ud800 seul", id="sur"),
        b'{"id":"utf","text":"\xed\xa0\x80","created_at":"2026-01-18T02:00:00Z"}',
        said("end"),
    )
    path.write_bytes(b"\n".join(raw) + b"\n")
    texts: dict[str, str] = {}
    refused: dict[int | None, str] = {}
    cuts, cursor = 0, None
    while (batch := await collector(path).read(cursor)).cursor != cursor:
        cursor = batch.cursor
        texts |= {m.id: m.text for m in batch.mentions}
        refused |= {r.line: r.reason for r in batch.rejected}
        cuts += batch.cut_count
    assert list(texts) == ["one", "nul", "emo", "sur", "end"]
    assert texts["nul"] == "nul\ufffdnul"
    assert texts["sur"] == "\ufffd seul"
    assert (len(texts["emo"]), texts["emo"][-4:], cuts) == (100_000, " […]", 1)
    assert {line: reason.split(":")[0] for line, reason in refused.items()} == {
        2: "longer than 4194304 bytes",
        4: "not JSON at column 10",
        6: "not JSON at column 1",
        8: "not UTF-8 at byte 21",
    }


async def test_a_missing_file_is_a_source_error_that_may_pass(path: Path) -> None:
    with pytest.raises(SourceError, match="check path and rights") as caught:
        await collector(path).read(None)
    assert caught.value.may_retry


async def test_a_pipe_is_refused_instead_of_blocking(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(SourceError, match="no ordinary file"):
        await collector(path).read(None)


async def test_a_cursor_that_is_not_ours_starts_again(path: Path) -> None:
    path.write_text(lines(0, 2))
    assert (await everything(collector(path), "12345"))[0] == ["0", "1"]
