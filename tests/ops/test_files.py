"""The files for Prometheus and the proxies are what those programs accept."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _program(name: str, *, is_needed: bool = True) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if is_needed and os.environ.get("CI"):
            pytest.fail(f"{name} is missing, and CI must not skip: make system")
        pytest.skip(f"{name} is missing, so its file is NOT checked: install it by apt-get")
    return found


def _run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_rules_are_valid() -> None:
    _run(_program("promtool"), "check", "rules", "monitoring/veille.rules.yml")


def test_the_alert_rules_fire_when_they_should_and_only_then() -> None:
    _run(_program("promtool"), "test", "rules", "monitoring/veille.rules.test.yml")


def test_the_metrics_read_well_to_prometheus(tmp_path: Path) -> None:
    from prometheus_client import generate_latest

    from veille.telemetry.metrics import Metrics

    done = subprocess.run(
        [_program("promtool"), "check", "metrics"],
        input=generate_latest(Metrics(channels={"a": "slack"}).registry),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_caddy_accepts_its_file() -> None:
    caddy = _program("caddy", is_needed=False)
    _run(caddy, "validate", "--adapter", "caddyfile", "--config", "deploy/Caddyfile")


def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    nginx, openssl = _program("nginx", is_needed=False), _program("openssl", is_needed=False)
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subject = ["-subj", "/CN=veille.mairie.example", "-days", "1", "-nodes"]
    made = ["-newkey", "rsa:2048", "-keyout", str(key), "-out", str(certificate)]
    _run(openssl, "req", "-x509", *made, *subject)
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/letsencrypt/live/veille.mairie.example", str(tmp_path))
    text = text.replace("/var/log/nginx", str(tmp_path))
    whole = tmp_path / "whole.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {text} }}", encoding="utf-8"
    )
    _run(nginx, "-t", "-p", str(tmp_path), "-c", str(whole))
