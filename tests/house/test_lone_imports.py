"""Every module can be imported alone, first, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "veille").rglob("*.py")
    if path.name != "__main__.py"
)
# What veille imports from elsewhere, so that it is loaded once.
ELSEWHERE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*(name for name in sys.modules if name.partition(".")[0] not in ("veille", "__main__")))
"""
# One interpreter that forks before each import: each child is as fresh as a new process, but for
# what lies below. A floor never imports upwards (import-linter), so that hides no circle.
FORKS = """
import contextlib, importlib, os, sys
elsewhere, *floors = (part.split() for part in sys.stdin)
for name in elsewhere:
    with contextlib.suppress(ImportError):  # names that are made, such as six.moves
        importlib.import_module(name)
failed = False
for floor in floors:
    for name in floor:
        child = os.fork()
        if child == 0:
            try:
                importlib.import_module(name)
            except BaseException as error:
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        failed |= os.waitpid(child, 0)[1] != 0
    for name in floor if not failed else ():
        importlib.import_module(name)
sys.exit(failed)
"""


def _floors() -> list[list[str]]:
    """The modules of each floor, the lowest first; `veille` itself and its single modules last."""
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    floor = {
        f"veille.{package.strip()}": height
        for height, layer in enumerate(reversed(layers))
        for package in layer.split("|")
    }
    by_floor: list[list[str]] = [[] for _ in [*layers, ""]]
    for name in MODULES:
        by_floor[floor.get(".".join(name.split(".")[:2]), -1)].append(name)
    return by_floor


def _run(code: str, *names: str, told: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *names],
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(180)
def test_every_module_imports_alone() -> None:
    elsewhere = _run(ELSEWHERE, *MODULES)
    assert elsewhere.returncode == 0, elsewhere.stderr
    lines = [elsewhere.stdout.strip(), *(" ".join(floor) for floor in _floors())]
    done = _run(FORKS, told="\n".join(lines))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_answers_without_loading_the_model() -> None:
    code = (
        "import sys, veille.cli.root as r; from click.testing import CliRunner;"
        "print(CliRunner().invoke(r.root, ['--help']).output);"
        "heavy = {'onnxruntime', 'spacy', 'aiohttp', 'numpy', 'sqlite_utils'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = _run(code)
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout
