"""Every module can be imported alone, first, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "veille").rglob("*.py")
    if path.name != "__main__.py"
)
# one interpreter that forks before each import: each child is as fresh as a new process
FORKS = """
import importlib, os, sys
failed = []
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        failed.append(name)
sys.exit(bool(failed))
"""


@pytest.mark.timeout(180)
def test_every_module_imports_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, *MODULES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_answers_without_loading_the_model() -> None:
    code = (
        "import sys, veille.cli.root as r; from click.testing import CliRunner;"
        "print(CliRunner().invoke(r.root, ['--help']).output);"
        "heavy = {'onnxruntime', 'spacy', 'aiohttp', 'numpy', 'sqlite_utils'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout
