"""Whatever a command logs, standard output is what it was asked for."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import structlog
from veille.cli.root import root
root(["schema"], standalone_mode=False)
structlog.get_logger().info("quiet")
structlog.get_logger().warning("loud")
"""


def test_every_command_logs_warnings_to_standard_error_as_json_lines() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["title"] == "veille"
    assert json.loads(done.stderr)["event"] == "loud"
