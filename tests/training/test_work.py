from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from veille.domain.errors import ConfigError
from veille.training import labels
from veille.training.work import opened, replaced_folder, write

CODE = (labels,)


@pytest.fixture
def count(tmp_path: Path):
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder.name)
        write(folder / "result", b"1")

    return made, make


def test_a_stage_is_made_once_and_again_when_its_inputs_change(tmp_path, listener, count) -> None:
    made, make = count
    for inputs in ("one", "one", "two"):
        with opened(tmp_path, listener.talk(), may_resume=True) as work:
            work.made("stage", inputs, CODE, make)
    assert len(made) == 2


def test_a_stage_is_made_again_when_its_code_changes(tmp_path, listener, count) -> None:
    from veille.training import loss

    made, make = count
    with opened(tmp_path, listener.talk(), may_resume=True) as work:
        first = work.made("stage", "one", CODE, make)
        second = work.made("stage", "one", (loss,), make)
    assert first.key != second.key
    assert len(made) == 2


def test_a_stopped_stage_finds_what_it_left_and_a_changed_one_does_not(tmp_path, listener) -> None:
    seen: list[bool] = []

    def stop(folder: Path) -> None:
        seen.append((folder / "half").exists())
        write(folder / "half", b"1")
        raise KeyboardInterrupt

    for inputs in ("one", "one", "two"):
        with (
            opened(tmp_path, listener.talk(), may_resume=True) as work,
            pytest.raises(KeyboardInterrupt),
        ):
            work.made("stage", inputs, CODE, stop)
    assert seen == [False, True, False]


def test_what_was_made_from_other_inputs_is_kept_and_found_again(tmp_path, listener, count) -> None:
    made, make = count
    with opened(tmp_path, listener.talk(), may_resume=True) as work:
        first = work.made("stage", "one", CODE, make)
        with pytest.raises(KeyboardInterrupt):
            work.made("stage", "two", CODE, _stopped)
        assert (first.folder / "result").read_bytes() == b"1"
        assert work.made("stage", "one", CODE, make) == first
    assert len(made) == 1
    assert any("earlier kept" in line for line in listener.said)


def _stopped(folder: Path) -> None:
    raise KeyboardInterrupt


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


OLD, NEW = {"a": "old", "b": "old", "note": "mine"}, {"a": "new", "b": "new", "note": "mine"}


@pytest.mark.parametrize("step", range(12))
def test_a_folder_is_whole_wherever_its_replacement_is_killed(tmp_path, monkeypatch, step) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, text in OLD.items():
        (folder / name).write_text(text)
    steps = iter(range(100))

    def killed(plain):
        def one(*args, **options):
            if next(steps) == step:
                raise SystemExit
            return plain(*args, **options)

        return one

    def replace() -> None:
        with replaced_folder(folder) as fresh:
            for name in ("a", "b"):
                write(fresh / name, b"new")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed(Path.rename))
        patch.setattr(Path, "replace", killed(Path.replace))
        patch.setattr(Path, "write_bytes", killed(Path.write_bytes))
        patch.setattr("shutil.copytree", killed(shutil.copytree))
        patch.setattr("shutil.rmtree", killed(shutil.rmtree))
        with suppress(SystemExit):
            replace()
    kept = folder if folder.is_dir() else tmp_path / ".model.old"
    assert read(kept) in (OLD, NEW)
    replace()
    assert read(folder) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_earlier_training_is_not_gone_on_with_unless_asked(tmp_path, listener, count) -> None:
    with opened(tmp_path, listener.talk(), may_resume=False) as work:
        work.made("stage", "one", CODE, count[1])
    with (
        pytest.raises(ConfigError, match="--resume"),
        opened(tmp_path, listener.talk(), may_resume=False),
    ):
        pass


def test_one_training_at_a_time_has_the_folder(tmp_path, listener) -> None:
    with (
        opened(tmp_path, listener.talk(), may_resume=True),
        pytest.raises(ConfigError, match="in use"),
        opened(tmp_path, listener.talk(), may_resume=True),
    ):
        pass
