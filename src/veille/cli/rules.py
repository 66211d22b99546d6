"""`veille rules test`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from veille.cli.root import chosen, config_option, json_option


@click.group("rules")
def command() -> None:
    """Test rules on written mentions."""


@command.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@json_option
@config_option
@click.pass_context
def test(
    ctx: click.Context, paths: tuple[Path, ...], as_json: bool, config_path: Path | None
) -> None:
    """Run the tests beside the rules in PATHS: rule files, test files or folders.

    Without PATHS, the folder of the configuration if there is one, else the shipped rules. A rule
    without a test is a finding. Status 1 when a test fails or is missing.
    """
    from veille.app.check import rules_report
    from veille.config import load

    path = chosen(ctx, config_path)
    report = rules_report(paths, load(path) if path else None)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        for finding in report.findings:
            click.echo(str(finding), err=True)
        click.echo(f"{report.passed} passed, {report.failed} failed, {len(report.rules)} rules")
    if not report.is_ok:
        sys.exit(1)
