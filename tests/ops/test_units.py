"""Units that systemd accepts, closed as promised; timers that call what exists."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from servers.confine import allowed, setting
from veille.cli.root import root

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
INSTALLED = Path("/usr/lib/systemd/system")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is missing: apt install systemd",
)


@needs_systemd
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="systemd's own units are missing")
def test_systemd_accepts_every_unit_in_a_staged_root(tmp_path: Path) -> None:
    shutil.copytree(INSTALLED, tmp_path / "usr/lib/systemd/system", symlinks=True)
    own = tmp_path / "etc/systemd/system"
    own.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, own)
    program = tmp_path / "opt/veille/.venv/bin/veille"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *(u.name for u in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "veille" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_unit_is_more_exposed_than_promised(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_every_unit_starts_a_command_that_exists(unit: Path) -> None:
    (line,) = setting(unit, "ExecStart")
    program, name, *arguments = line.split()
    assert program == "/opt/veille/.venv/bin/veille"
    context = click.Context(root)
    command = root.get_command(context, name)
    assert command is not None
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        command = command.get_command(context, arguments.pop(0))
        assert command is not None
    known = {option for param in command.params for option in param.opts}
    assert {argument for argument in arguments if argument.startswith("-")} <= known


def test_every_timer_starts_a_service_and_misses_none() -> None:
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert timers
    for timer in timers:
        assert timer.with_suffix(".service") in SERVICES
        assert setting(timer, "Persistent") == ["yes"]


def test_the_service_stops_and_watches_within_the_promised_times() -> None:
    unit = ROOT / "systemd" / "veille.service"
    assert setting(unit, "Type") == ["notify"]
    assert setting(unit, "NotifyAccess") == ["main"]
    assert setting(unit, "WatchdogSec") == ["30s"]
    assert setting(unit, "TimeoutStopSec") == ["45s"]
    assert setting(unit, "RestartPreventExitStatus") == ["2"]


@needs_systemd
def test_the_confinement_of_the_tests_is_real() -> None:
    unit = ROOT / "systemd" / "veille.service"
    assert not {"sched_setaffinity", "chown", "mount", "ptrace"} & allowed(unit)
    code = (
        "import mmap, os\n"
        "for name, try_ in {\n"
        "    'W+X': lambda: mmap.mmap(-1, 4096, prot=7),\n"
        "    'resources': lambda: os.sched_setaffinity(0, {0}),\n"
        "}.items():\n"
        "    try:\n"
        "        try_()\n"
        "    except OSError:\n"
        "        print(name, 'refused')\n"
    )
    confine = ROOT / "tests" / "servers" / "confine.py"
    done = subprocess.run(
        [sys.executable, str(confine), str(unit), sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "PR_SET_MDWE" in done.stderr or "libseccomp" in done.stderr:
        pytest.skip(f"this kernel cannot confine: {done.stderr[-200:]}")
    assert done.stdout.split("\n")[:2] == ["W+X refused", "resources refused"]
