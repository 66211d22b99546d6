"""A terminal that cannot say a character, or that is gone, costs nothing but the character."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.cli.terminal import PLAIN, plain
from veille.wording.catalogue import catalogue

SAYS = """
import click
from veille.cli.terminal import speak_plainly
speak_plainly()
speak_plainly()
click.echo("✓ Événement\\u202f: l’été → 12\\u00a0h … \\U0001f600")
click.echo("▲ œuvre", err=True)
click.echo("é".encode())
"""


TASKS = """
import asyncio, click, sys
from veille.cli.root import root
async def task():
    exec(sys.argv[1])
async def tasks():
    async with asyncio.TaskGroup() as group:
        group.create_task(task())
@root.command("tasks")
def command():
    asyncio.run(tasks())
root.get_command = lambda ctx, name: command
root(["tasks"])
"""


def run(code: str, encoding: str, *args: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, env=env)


@pytest.mark.parametrize(
    ("encoding", "said", "warned"),
    [
        ("ascii", b"v Evenement : l'ete -> 12 h ... ?\n\xc3\xa9\n", b"^ oeuvre\n"),
        (
            "latin-1",
            b"v \xc9v\xe9nement : l'\xe9t\xe9 -> 12\xa0h ... ?\n\xc3\xa9\n",
            b"^ oeuvre\n",
        ),
        (
            "utf-8",
            "✓ Événement\u202f: l’été → 12\u00a0h … \U0001f600\né\n".encode(),
            "▲ œuvre\n".encode(),
        ),
    ],
)
def test_what_a_terminal_cannot_say_is_said_plainly_and_bytes_are_left_alone(
    encoding: str, said: bytes, warned: bytes
) -> None:
    done = run(SAYS, encoding)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, warned)


def unread(command: list[str]) -> tuple[int, bytes]:
    """Return the status of a command whose output nobody reads, and what it said of that."""
    reader, writer = os.pipe()
    os.close(reader)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=env)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_a_reader_that_is_gone_ends_a_command_without_a_word(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[veille]\nname = "Ville"\n[[watch]]\nid = "mairie"\n', encoding="utf-8")
    command = [sys.executable, "-m", "veille", "oncall", "--config", str(config)]
    assert unread(command) == (1, b"")


def test_to_tasks_a_reader_that_is_gone_is_no_fault_and_all_else_is_told() -> None:
    command = [sys.executable, "-c", TASKS]
    assert unread([*command, "click.echo('night')"]) == (1, b"")
    status, said = unread([*command, "1 / 0"])
    assert (status, b"ZeroDivisionError" in said) == (1, True)
    assert b"BrokenPipeError" in run(TASKS, "utf-8", "raise BrokenPipeError").stderr  # of a socket


@given(st.text())
def test_any_text_is_said_in_ascii_without_what_would_break_a_line_of_json(text: str) -> None:
    said = plain(text)
    assert said.isascii()
    assert not {'"', "\\"} & {*said} - {*text}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_word_of_veille_itself_becomes_a_question_mark(language: str) -> None:
    assert all(value.isascii() for value in PLAIN.values())
    words = "".join(catalogue(language).messages.values())
    assert plain(words).count("?") == words.count("?")


def test_a_full_disk_is_named_with_a_remedy() -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "veille", "rules", "test", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"what is written to: No space left on device: make room")
    assert b"Traceback" not in done.stderr
