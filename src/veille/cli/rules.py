"""`veille rules test` and `veille rules backtest`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option

if TYPE_CHECKING:
    from veille.app.backtest_page import Voice
    from veille.config import Loaded
    from veille.reports.page import Page

KILLED_RATIO = 0.8
"""So many of the mutants have to be killed; issue 5."""


@click.group("rules")
def command() -> None:
    """Test rules on written mentions."""


@command.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--mutants", is_flag=True, help="change the rules one thing at a time instead")
@json_option
@config_option
@click.pass_context
def test(
    ctx: click.Context,
    paths: tuple[Path, ...],
    mutants: bool,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Run the tests beside the rules in PATHS: rule files, test files or folders.

    Without PATHS, the folder of the configuration if there is one, else the shipped rules. A rule
    without a test is a finding. Status 1 when a test fails or is missing.

    With --mutants each comparison, threshold and condition of a rule is changed, one at a time: the
    tests have to notice. Status 1 when under 80 % of the mutants of all rules are killed.
    """
    from veille.app.check import rules_report
    from veille.config import load

    path = chosen(ctx, config_path)
    loaded = load(path) if path else None
    if mutants:
        _mutants(paths, loaded, as_json=as_json)
        return
    report = rules_report(paths, loaded)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        for finding in report.findings:
            click.echo(str(finding), err=True)
        click.echo(f"{report.passed} passed, {report.failed} failed, {len(report.rules)} rules")
    if not report.is_ok:
        sys.exit(1)


_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_PATH = click.Path(path_type=Path, exists=True)


@command.command("backtest")
@click.argument("history", required=False, type=_FILE)
@click.option("--labels", type=_FILE, help="what is known to have happened, JSON Lines")
@click.option("--rules", type=_PATH, help="a rule file or folder instead of the configured one")
@click.option("--against", type=_PATH, help="other rules, a file or folder, to compare with")
@click.option("--sweep", multiple=True, metavar="RULE", help="move the thresholds of this rule")
@click.option("--counts", type=_FILE, help="a series of counts per minute instead of mentions")
@click.option("--window", default="5m", show_default=True, help="of the detectors of --counts")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="write a page here")
@json_option
@config_option
@click.pass_context
def backtest(ctx: click.Context, /, **given: Any) -> None:  # Any: what click parsed
    """Play HISTORY (mention interchange, one object a line) and score the alerts by --labels.

    A line may bring its `analysis`, as in rule tests; the model reads the others. A label is
    {"id", "start", "end", "rule"?: [...]}: a hit is an alert firing within it. Two runs give the
    same bytes.

    With --counts, detectors stand side by side on a series of counts per minute instead: JSON
    Lines or CSV with minute and count, and capped and gap where a count is too low or missing.
    """
    from veille.config import load

    path = chosen(ctx, given.pop("config_path"))
    loaded = load(path) if path else None
    if given["counts"] is not None:
        for name in ("history", "rules", "against", "sweep"):
            if given[name]:
                raise click.UsageError(f"--counts has no {name}: it judges no rules")
        _counts(given, loaded)
    elif given["history"] is None or given["labels"] is None:
        raise click.UsageError("write HISTORY --labels FILE, or --counts FILE")
    else:
        _history(given, loaded)


def _history(given: dict[str, Any], loaded: Loaded | None) -> None:
    import asyncio
    from dataclasses import fields

    from veille.app.backtest import Options, backtest
    from veille.app.backtest_page import history_page

    options = Options(**{field.name: given[field.name] for field in fields(Options)})
    with progress("backtest", unit="steps") as told:
        report, rejected = asyncio.run(backtest(options, loaded, told))
    for reason in rejected:
        click.echo(reason, err=True)
    plain = msgspec.to_builtins(report)
    judged = plain.pop("rules")
    whole = {**judged.pop("whole"), **plain, **judged}
    del whole["rule"]
    _tell(given, whole, history_page(report, _voice(loaded, options.history)))
    if rejected:
        click.echo(f"{options.history.name}: {len(rejected)} lines could not be read", err=True)
        sys.exit(1)


def _counts(given: dict[str, Any], loaded: Loaded | None) -> None:
    from veille.app.backtest import counted
    from veille.app.backtest_page import counts_page
    from veille.domain.durations import parse_duration

    window = parse_duration(given["window"])
    with progress("detectors", unit="detectors") as told:
        found = counted(given["counts"], given["labels"], window, loaded, told)
    _tell(given, msgspec.to_builtins(found), counts_page(found, _voice(loaded, given["counts"])))


def _voice(loaded: Loaded | None, file: Path) -> Voice:
    from veille.app.backtest_page import Voice
    from veille.rules.engine import PARIS
    from veille.wording.catalogue import catalogue

    words = catalogue(loaded.config.veille.language if loaded else "fr")
    zone = str(loaded.timezone if loaded else PARIS)
    return Voice(words=words, zone=zone, history=file.name)


def _tell(given: dict[str, Any], plain: dict[str, Any], page: Page) -> None:
    from veille.reports.render import to_html, to_markdown

    if given["html"] is not None:
        given["html"].write_text(to_html(page), encoding="utf-8")
    if given["as_json"]:
        click.echo(msgspec.json.encode(plain))
    else:
        click.echo(to_markdown(page), nl=False)


def _mutants(paths: tuple[Path, ...], loaded: Loaded | None, *, as_json: bool) -> None:
    from veille.app.check import rules_survey

    with progress("mutants", unit="mutants") as told:
        found = rules_survey(paths, loaded, told)
    whole = found.whole
    if as_json:
        click.echo(
            msgspec.json.encode(
                {
                    "killed": whole.killed,
                    "mutants": whole.mutants,
                    "ratio": whole.ratio,
                    "rules": [
                        {"rule": s.rule, "killed": s.killed, "mutants": s.mutants, "ratio": s.ratio}
                        for s in found.scores
                    ],
                    "tried": found.tried,
                    "findings": found.findings,
                }
            )
        )
    else:
        for finding in found.findings:
            click.echo(str(finding), err=True)
        for one in found.tried:
            click.echo(str(one))
        for score in found.scores:
            click.echo(f"{score.rule}: {score.killed} of {score.mutants} mutants killed")
        click.echo(f"{whole.killed} of {whole.mutants} mutants killed")
    if found.findings or whole.ratio is None or whole.ratio < KILLED_RATIO:
        sys.exit(1)
