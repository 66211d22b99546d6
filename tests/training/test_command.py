from __future__ import annotations

import pytest
from click.testing import CliRunner

from training.conftest import MISSING
from veille.cli.root import root


def _train(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(root, ["models", "train", *options])
    return done.exit_code, done.output


def test_nothing_to_make_is_a_usage_error() -> None:
    code, said = _train()
    assert (code, said.count("\n")) == (2, 1)
    assert "--out" in said


def test_a_recipe_that_is_not_there_is_named(tmp_path) -> None:
    code, said = _train("--out", str(tmp_path / "m"), "--recipe", str(tmp_path / "none.toml"))
    assert code == 2
    assert "none.toml cannot be read" in said


@pytest.mark.skipif(not MISSING, reason="the torch extra is installed")
def test_without_the_extra_one_line_says_what_to_install_and_nothing_is_made(tmp_path) -> None:
    work = tmp_path / "work"
    code, said = _train("--out", str(tmp_path / "m"), "--work", str(work))
    assert (code, said.count("\n")) == (1, 1)
    assert "pip install torch==2.13.0 first" in said
    assert "pip install 'veille[torch]'" in said
    assert not work.exists()
