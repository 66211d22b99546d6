"""Measure how long the daemon takes to be ready on a large store, and to take a changed rule.

    python benchmarks/start.py [--mentions 1000000] [--keep FOLDER]

The store is that of pages.py, made if `--keep` has none. It is started once with rules that have
counted nothing yet, then killed once they have counted all, and started again; then one rule is
changed while it runs. Times are of the clock, processor times are of the daemon's own process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from million import make
from pages import TOWN, cpu_s

from veille.domain.clock import utc_now
from veille.rules.parse import parse_rules, rule_files
from veille.store.engine import Db, connect

LIMIT_S = 600.0
PORT = 18_653
WORD = "hippopotame"
"""Nobody says it in the store."""
CHANGED = """rules:
  - {{id: bench, kind: count, where: {{text: {{words: [{word}]}}}}, window: 6h, min_count: 1,
     min_authors: 1, severity: info, annotations: {{summary: "essai {number}"}}}}
"""
COUNTED = "SELECT count(*) FROM listening WHERE retired_at IS NULL"


def until(holds: Callable[[], bool], daemon: subprocess.Popen[str]) -> float:
    """Return after how many seconds it held."""
    began = time.perf_counter()
    while not holds():
        if daemon.poll() is not None or time.perf_counter() - began > LIMIT_S:
            raise SystemExit("the daemon ended, or took too long")
        time.sleep(0.05)
    return time.perf_counter() - began


def is_ready() -> bool:
    """Whether the daemon says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def prepare(folder: Path, database: Path) -> None:
    """The folder holds a town with a copy of the database and of the shipped rules."""
    (folder / "data").mkdir()
    shutil.copy(database, folder / "data" / "veille.db")
    shutil.copytree(Path(__file__).parent.parent / "rules", folder / "rules")
    (folder / "rules" / "bench.yml").write_text(CHANGED.format(word=WORD, number=0))
    (folder / "config.toml").write_text(TOWN.format(rules=folder / "rules", port=PORT))
    (folder / "secrets.toml").touch(mode=0o600)
    (folder / "secrets.toml").write_text('PSEUDONYM_KEY = "a key for the benchmark"\n')
    (folder / "mentions.jsonl").touch()


def started(folder: Path, db: Db, name: str) -> subprocess.Popen[str]:
    """Start the daemon, print when it was ready and when its rules had counted all."""
    veille, log = Path(sys.executable).with_name("veille"), (folder / "log").open("a")
    daemon = subprocess.Popen(
        [veille, "run", "--config", folder / "config.toml"], stderr=log, text=True
    )
    ready_s = until(is_ready, daemon)
    used = cpu_s(daemon.pid)
    wanted = len(parse_rules(rule_files(folder / "rules")).rules)
    more_s = until(lambda: int(db.value(COUNTED)) >= wanted, daemon)
    print(
        f"{name}: ready after {ready_s:.1f} s ({used:.1f} s of processor time), "
        f"all counted {more_s:.1f} s later ({cpu_s(daemon.pid) - used:.1f} s)",
        flush=True,
    )
    return daemon


def reload(folder: Path, db: Db, daemon: subprocess.Popen[str]) -> None:
    """Change a rule and say what it is about: print when it had told, and when it had counted."""
    before, used = int(db.value("SELECT count(*) FROM listening")), cpu_s(daemon.pid)
    (folder / "rules" / "bench.yml").write_text(CHANGED.format(word=WORD, number=1))
    with (folder / "mentions.jsonl").open("a", encoding="utf-8") as file:
        said = {"source": "dossier", "id": "one", "author": {"id": "someone"},
                "text": f"Saint-Aubin : un {WORD} devant la mairie",
                "created_at": utc_now().isoformat()}  # fmt: skip
        file.write(json.dumps(said) + "\n")
    newest = "SELECT count(*) FROM alerts WHERE alert LIKE '%essai 1%'"
    told_s = until(lambda: bool(db.value(newest)), daemon)
    more_s = until(lambda: int(db.value("SELECT count(*) FROM listening")) > before, daemon)
    print(
        f"one rule changed: it told after {told_s:.1f} s, had counted all {more_s:.1f} s later "
        f"({cpu_s(daemon.pid) - used:.1f} s of processor time in all)",
        flush=True,
    )


def run(folder: Path, database: Path) -> None:
    """Print the times of two starts and of a change."""
    prepare(folder, database)
    db = connect(folder / "data" / "veille.db", is_reader=True)
    for name in ("first start", "second start"):
        daemon = started(folder, db, name)
        try:
            if name == "second start":
                reload(folder, db, daemon)
        finally:
            daemon.kill()
            daemon.wait()
    db.close()


def main() -> None:
    """Build what is missing, measure, print."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--mentions", type=int, default=1_000_000)
    asked.add_argument("--keep", type=Path)
    said = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept = said.keep or Path(scratch)
        database = kept / f"veille-{said.mentions}.db"
        if not database.exists():
            kept.mkdir(parents=True, exist_ok=True)
            make(database, said.mentions)
        folder = Path(scratch, "town")
        folder.mkdir()
        run(folder, database)


if __name__ == "__main__":
    main()
