"""From packaged weights to a calibrated model: every stage in order, kept in the work folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from veille.domain.errors import ConfigError
from veille.nlp.load import MODELS
from veille.nlp.manifest import TrainingSet
from veille.training import corpus, export, fit, labels, loss, network, packaged, probe, vocabulary
from veille.training.calibrate import glance
from veille.training.corpus import Corpus, Row
from veille.training.labels import HEADS
from veille.training.network import Network, State
from veille.training.publish import Release, publish_directory, publish_onnx, targets
from veille.training.recipe import (
    START,
    Distil,
    Probe,
    Profile,
    Recipe,
    Repeats,
    Run,
    Soup,
    Step,
    needs,
    read_recipe,
)
from veille.training.records import SETS
from veille.training.work import Made, Talk, Work, digest, opened, replaced

RUN_CODE = (corpus, fit, labels, loss, network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `veille models train` is asked for; `out` takes the ONNX model, `hf` the fp32 one."""

    recipe: Path
    corpus: Corpus
    work: Path
    out: Path | None
    hf: Path | None
    encoder: Path | None
    profile: Profile
    seed: int
    threads: int
    may_resume: bool
    processor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where a step's weights are, and how many layers they have; `file` is None at the start."""

    key: str
    file: Path | None
    layers: int | None


def train(options: Options, talk: Talk) -> None:
    """Fill the folders asked for, making only what the work folder does not hold.

    Raises ConfigError for what the person can mend, ModelError for weights that do not fit.
    """
    recipe = read_recipe(options.recipe)
    network.require_torch()
    _settle(options.threads)
    with (
        targets(options.out, options.hf),
        opened(options.work, talk, may_resume=options.may_resume) as work,
    ):
        start = _start(options, work)
        if options.out is not None:  # before the hours, not after
            export.check_exportable(Network(start.folder))
        trainer = _Trainer(options, work, start)
        last = trainer.weights(recipe.steps(options.profile))
        release = _release(options, recipe, trainer, last)
        if options.hf is not None:
            publish_directory(release, work, options.hf)
        if options.out is not None:
            publish_onnx(release, work, options.out)


def _settle(threads: int) -> None:
    """Have torch give the same bits each time."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # denormals cost half the speed of a step
    torch.use_deterministic_algorithms(mode=True)


def _start(options: Options, work: Work) -> Made:
    """Return the directory of the encoder that everything begins with."""
    if options.encoder is not None:
        names = ("config.json", "tokenizer.json")
        missing = [name for name in names if not (options.encoder / name).is_file()]
        if missing:
            raise ConfigError(f"{options.encoder}: no {missing[0]}; --encoder names a directory")
        files = sorted(path for path in options.encoder.iterdir() if path.is_file())
        seen = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return Made(folder=options.encoder, key=digest(seen))
    texts = list(options.corpus.vocabulary())
    make = partial(_make_start, texts)
    return work.made(START, digest(texts), (packaged, vocabulary), make)


def _make_start(texts: Sequence[str], folder: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    found = packaged.read_packaged(packaged.packaged_file().read_bytes())
    rows = vocabulary.kept_rows(found.pieces, texts)
    pieces = [found.pieces[i] for i in rows]
    vocabulary.build_tokenizer(pieces).save(str(folder / "tokenizer.json"))
    state = {name: torch.from_numpy(values.copy()) for name, values in found.tensors.items()}
    state[packaged.WORDS] = state[packaged.WORDS][rows].clone()
    config = BertConfig(**packaged.config_of(found.sizes, len(rows)))
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.load_state_dict(state)
    encoder.save_pretrained(folder)


class _Trainer:
    """Makes the weights of each step from those it begins with."""

    def __init__(self, options: Options, work: Work, start: Made) -> None:
        self.options, self.work, self.start = options, work, start
        self.made: dict[str, Weights] = {START: Weights(key=start.key, file=None, layers=None)}
        self.rows: dict[tuple[str, tuple[str, ...]], list[Row]] = {}

    def weights(self, steps: Sequence[Step]) -> Weights:
        """Return the weights of the last step, all steps made."""
        for step in steps:
            self.made[step.name] = self._step(step)
        return self.made[steps[-1].name]

    def net_of(self, weights: Weights, *, seed: int = 0) -> Network:
        """Return the network with these weights; what they lack is drawn from the seed."""
        import torch

        torch.manual_seed(seed)
        net = Network(self.start.folder, layers=weights.layers)
        if weights.file is not None:
            net.load(torch.load(weights.file, weights_only=True))
        return net

    def _step(self, step: Step) -> Weights:
        rows = self._rows(step)
        befores = [self.made[name] for name in needs(step)]
        seen = [(row.text, sorted(row.labels.items()), row.origin) for row in rows]
        inputs = [
            msgspec.to_builtins(step),
            self.start.key,
            [before.key for before in befores],
            digest(seen),
            self.options.seed,
        ]
        code = (*RUN_CODE, probe) if isinstance(step, Probe) else RUN_CODE
        made = self.work.made(step.name, inputs, code, partial(self._make, step, rows, befores))
        layers = _layers(step, befores)
        return Weights(key=made.key, file=made.folder / "weights.pt", layers=layers)

    def _make(
        self, step: Step, rows: Sequence[Row], befores: Sequence[Weights], folder: Path
    ) -> None:
        import torch

        file = folder / "weights.pt"
        if not file.is_file():  # or the measuring below was stopped
            state = self._state(step, rows, befores, folder)
            with replaced(file) as beside:
                torch.save(state, beside)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        net = self.net_of(Weights(key="", file=file, layers=_layers(step, befores)))
        read = network.reader(net, network.tokenizer_of(self.start.folder))
        self.work.talk.say(f"{step.name}: dev {glance(self.options.corpus, read)}")

    def _state(
        self, step: Step, rows: Sequence[Row], befores: Sequence[Weights], folder: Path
    ) -> State:
        match step:
            case Soup():
                return network.averaged(
                    [self.net_of(each).state() for each in befores], step.shares
                )
            case Probe():
                return self._probed(step, rows, befores[0])
            case Run():
                return self._fitted(step, rows, befores[0], folder)
            case Distil():
                return self._distilled(step, rows, befores[0], folder)

    def _probed(self, step: Probe, rows: Sequence[Row], before: Weights) -> State:
        net = self.net_of(before)
        _, vectors = network.outputs_of(net, self._ids(rows))
        probe.probe(net, vectors, rows, step.heads)
        return net.state()

    def _fitted(self, step: Run, rows: Sequence[Row], before: Weights, folder: Path) -> State:
        net = self.net_of(before, seed=self._seed(step))
        heads = step.heads or tuple(HEADS)

        def cost(logits: Any, vectors: Any, at: Sequence[int]) -> Any:  # Any: tensors
            del vectors
            return loss.labels_loss(logits, [rows[i] for i in at], heads, batch=network.BATCH)

        self._fit(net, rows, cost, step, folder)
        return net.state()

    def _distilled(self, step: Distil, rows: Sequence[Row], before: Weights, folder: Path) -> State:
        import torch

        teacher = self.net_of(before)
        if max(step.layers) >= len(teacher.layers):
            raise ConfigError(
                f"recipe: step {step.name!r}: the network has {len(teacher.layers)} layers, "
                f"counted from 0; there is none numbered {max(step.layers)}"
            )
        logits, vectors = map(torch.from_numpy, network.outputs_of(teacher, self._ids(rows)))
        net = Network(self.start.folder, layers=len(step.layers))
        net.load(network.thinned(teacher.state(), step.layers))

        def cost(said: Any, pooled: Any, at: Sequence[int]) -> Any:  # Any: tensors
            batch = [rows[i] for i in at]
            own = loss.labels_loss(said, batch, tuple(HEADS), batch=network.BATCH)
            return own + loss.teacher_loss(said, pooled, (logits[at], vectors[at]))

        self._fit(net, rows, cost, step, folder)
        return net.state()

    def _fit(
        self, net: Network, rows: Sequence[Row], cost: fit.Loss, step: Run | Distil, folder: Path
    ) -> None:
        course = fit.Course(
            lr=step.lr,
            seed=self._seed(step),
            checkpoint=folder / "checkpoint.pt",
            every=fit.CHECKPOINT_EVERY,
        )
        with self.work.talk.progress(step.name, "steps") as report:
            fit.fit(net, self._ids(rows), cost, course, report)

    def _ids(self, rows: Sequence[Row]) -> list[list[int]]:
        tokenizer = network.tokenizer_of(self.start.folder)
        return [item.ids for item in tokenizer.encode_batch([row.text for row in rows])]

    def _seed(self, step: Run | Distil) -> int:
        return step.seed + self.options.seed

    def _rows(self, step: Step) -> list[Row]:
        """Return every text as often as the step sees it."""
        match step:
            case Soup():
                return []
            case Probe():
                return self._seen("ours", Repeats(ours=1)) + self._seen(
                    "toxifrench", Repeats(toxifrench=1)
                )
            case Run() | Distil():
                repeats = step.repeats
                files = step.files if isinstance(step, Run) else ()
                rows = [
                    row
                    for name in ("ours", "umsab", "deft", "toxifrench")
                    for row in self._seen(name, repeats, files)
                ]
                return rows + (
                    self.options.corpus.t26_sample(repeats.t26, self._seed(step))
                    if repeats.t26
                    else []
                )

    def _seen(self, name: str, repeats: Repeats, files: tuple[str, ...] = ()) -> list[Row]:
        times: int = getattr(repeats, name)
        if not times:
            return []
        if (name, files) not in self.rows:
            own = self.options.corpus
            self.rows[name, files] = (
                own.ours("train", files) if name == "ours" else own.public(name, "train")
            )
        return self.rows[name, files] * times


def _layers(step: Step, befores: Sequence[Weights]) -> int | None:
    return len(step.layers) if isinstance(step, Distil) else befores[0].layers


def _release(options: Options, recipe: Recipe, trainer: _Trainer, last: Weights) -> Release:
    steps = [s for s in recipe.steps(options.profile) if isinstance(s, Run | Distil)]
    used = [n for n in SETS if any(getattr(step.repeats, n) for step in steps)]
    name = MODELS.get(options.profile, f"{MODELS['default']}-{options.profile}")
    texts = options.recipe.with_name("reference_fr.txt")
    return Release(
        name=options.encoder.name if options.encoder is not None else name,
        version=recipe.version,
        licence=recipe.licence,
        processor=options.processor,
        abstain={str(head): each for head, each in recipe.abstain.items()},
        training=[_training_set(options.corpus, each) for each in used],
        reference=texts.read_text(encoding="utf-8").splitlines() if texts.is_file() else [],
        corpus=options.corpus,
        start=trainer.start.folder,
        key=digest([trainer.start.key, last.key]),
        build=partial(trainer.net_of, last),
    )


def _training_set(own: Corpus, name: str) -> TrainingSet:
    rows = own.ours("train") if name == "ours" else own.public(name, "train")
    title, licence, use = SETS[name]
    return TrainingSet(name=title, rows=len(rows), licence=licence, use=use)
