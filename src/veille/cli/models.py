"""`veille models`: measure and calibrate what reads the texts."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from veille.cli.progress import progress
from veille.cli.root import chosen, config_option, json_option
from veille.cli.store import in_store
from veille.cli.train import train

HEADS = (
    "sentiment", "urgency", "crisis", "toxicity", "hostility", "target", "intent", "topic",
)  # fmt: skip

data_option = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="labelled texts: TSV or JSON Lines",
)
model_option = click.option(
    "--model",
    type=click.Path(path_type=Path, file_okay=False),
    help="the model's folder (default: the configured one, else the shipped one)",
)


@click.group("models")
def command() -> None:
    """Measure, calibrate and train what reads the texts."""


command.add_command(train)


@command.command("evaluate")
@data_option
@model_option
@click.option("--head", type=click.Choice(HEADS), help="what a column named label is about")
@json_option
@config_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    data: Path,
    model: Path | None,
    head: str | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Print how well the model reads labelled texts: figures, intervals, calibration, speed.

    Reads TSV (a header names any of text, sentiment, urgent, crisis, hostility, target, intent,
    topic, toxic) or JSON Lines (text and label, or the same names). No text is printed, nothing is
    stored, and no configuration is read unless --config names one.
    """
    from veille.app import evaluation
    from veille.app.parts import load_analyst, model_settings, topics
    from veille.cli.figures import lines
    from veille.config import load
    from veille.nlp.load import load_manifest

    path = chosen(ctx, config_path)
    loaded = load(path) if path else None
    settings = model_settings(loaded, folder=model)
    named = [topic.id for topic in topics(loaded)]
    labelled = evaluation.read(data, load_manifest(settings), head, topics=named)
    analyst, threads = load_analyst(loaded, folder=model), settings.threads
    with progress("evaluate", unit="texts") as report:
        found = evaluation.evaluate(labelled, analyst, threads=threads, report=report)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for line in lines(found):
        click.echo(line)


@command.command("calibrate")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write the calibration there, when one is surely better",
)
@json_option
@config_option
@click.pass_context
def calibrate(
    ctx: click.Context, out: Path | None, as_json: bool, config_path: Path | None
) -> None:
    """Fit the calibration to what people corrected and confirmed here; apply nothing.

    Shows each head before and after, by cross-validation, and refuses those judged too seldom. To
    use what --out wrote, name it in the configuration: [models] calibration. Status 1 when there
    is nothing to write.
    """
    from veille.app import calibration
    from veille.app.parts import load_analyst, model_settings
    from veille.cli.figures import calibrated
    from veille.config import load
    from veille.domain.clock import utc_now
    from veille.nlp.load import is_sentiment_foreign, load_manifest
    from veille.store.corrections import judged

    path = chosen(ctx, config_path)
    loaded = load(path)
    settings = model_settings(loaded)
    manifest, texts = load_manifest(settings), in_store(path, judged)
    foreign = frozenset({"sentiment"} if is_sentiment_foreign(settings) else ())
    with progress("calibrate", unit="texts") as report:
        found = calibration.calibrate(
            texts,
            manifest,
            lambda: load_analyst(loaded),
            now=utc_now().astimezone(loaded.timezone),
            report=report,
            foreign=foreign,
        )
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        for line in calibrated(found):
            click.echo(line)
    if found.file is None:
        sys.exit(1)
    if out is not None:
        calibration.write(out, found.file)
        click.echo(f'{out} written; to use it: [models] calibration = "{out}"', err=True)
