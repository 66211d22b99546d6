"""From trained weights to a model's folder: export, calibrate, measure, write the records."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from veille.domain.errors import ConfigError
from veille.nlp import fitting, metrics
from veille.nlp.load import load_encoder
from veille.nlp.manifest import Calibration, Measure, TrainingSet
from veille.nlp.prepare import for_encoder
from veille.nlp.settings import ModelSettings
from veille.nlp.torch_encoder import HEADS_FILE
from veille.training import calibrate, export, labels, network, records
from veille.training.calibrate import DevSet
from veille.training.corpus import Corpus
from veille.training.network import Network, Read
from veille.training.recipe import Abstain
from veille.training.work import Work, held, replaced, replaced_folder, write

ONNX_FILES = ("model.onnx", "tokenizer.json")
DIRECTORY_FILES = ("config.json", "model.safetensors", "tokenizer.json", HEADS_FILE)
REFERENCE = "reference.jsonl"
CHUNK = 256  # texts between two moves of the bar
FIGURES_CODE = (calibrate, fitting, labels, metrics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is published: the network (made when asked for), and what its records say of it."""

    name: str
    version: str
    licence: str
    processor: str
    abstain: Mapping[str, Abstain]
    training: Sequence[TrainingSet]
    reference: Sequence[str]
    corpus: Corpus
    start: Path
    key: str
    build: Callable[[], Network]

    def reader(self) -> Read:
        """Return what the network says in fp32."""
        return network.reader(self.build(), network.tokenizer_of(self.start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of the network: its folder and files, and how to ask what it says."""

    kind: str
    folder: Path
    key: str
    files: tuple[str, ...]
    read: Read


def check_target(out: Path) -> None:
    """Do nothing where a model may be published. Raises ConfigError for a folder of other things.

    The folder is replaced whole, by renaming, so it cannot be a mount point.
    """
    if out.is_mount():
        raise ConfigError(f"{out} is a mount point, which cannot be renamed: name a folder in it")
    if out.is_dir() and any(out.iterdir()) and not (out / "model.toml").is_file():
        raise ConfigError(f"{out} holds other things than a model: name a new or empty folder")


@contextmanager
def targets(*folders: Path | None) -> Iterator[None]:
    """Give the folders to publish in to one training at a time. Raises ConfigError."""
    named = [folder.resolve() for folder in folders if folder is not None]
    if len(set(named)) < len(named):
        raise ConfigError(f"{named[0]} cannot take both --out and --hf: name two folders")
    with ExitStack() as stack:
        for folder in named:
            check_target(folder)
            stack.enter_context(held(folder, folder.with_name(f".{folder.name}.lock")))
        yield


def publish_onnx(release: Release, work: Work, out: Path) -> None:
    """Have `out` hold the int8 model; the one it held is whole until then."""

    def make(folder: Path) -> None:
        export.export_onnx(release.build(), folder / "model.onnx")
        shutil.copyfile(release.start / "tokenizer.json", folder / "tokenizer.json")
        _write_manifest(release, folder, ONNX_FILES, _Figures(numbers=records.neutral()))

    made = work.made("onnx", release.key, (export, network), make)
    _, encoder = load_encoder(ModelSettings(directory=str(made.folder)))

    def read(texts: Sequence[str]) -> metrics.Numbers:
        return np.array([each.logits for each in encoder.encode(texts)], dtype=np.float64)

    form = Form(kind="onnx", folder=made.folder, key=made.key, files=ONNX_FILES, read=read)
    try:
        _publish(release, work, form, out)
    finally:
        encoder.close()


def publish_directory(release: Release, work: Work, out: Path) -> None:
    """Fill `out` with the fp32 network as a Hugging Face directory, with our heads beside it."""

    def make(folder: Path) -> None:
        network.save_directory(release.build(), release.start, folder)

    made = work.made("directory", release.key, (network,), make)
    form = Form(
        kind="directory", folder=made.folder, key=made.key, files=DIRECTORY_FILES,
        read=release.reader(),
    )  # fmt: skip
    _publish(release, work, form, out)


class _Figures(msgspec.Struct, frozen=True, kw_only=True):
    numbers: Calibration
    measured: tuple[Measure, ...] = ()


def _publish(release: Release, work: Work, form: Form, out: Path) -> None:
    figures = _figures(release, work, form)
    check_target(out)
    logits = None
    if release.reference:
        logits = release.reader()([for_encoder(text) for text in release.reference])
    with replaced_folder(out.resolve()) as fresh:
        for name in form.files:
            with replaced(fresh / name) as beside:
                shutil.copyfile(form.folder / name, beside)
        if logits is not None:
            records.write_reference(fresh, release.reference, logits)
        names = (*form.files, REFERENCE) if release.reference else form.files
        _write_manifest(release, fresh, names, figures)
    work.talk.say(f"{out}: {release.name} {release.version}")


def _figures(release: Release, work: Work, form: Form) -> _Figures:
    """Return calibration and figures on the development sets, read once and kept."""
    rows = calibrate.dev_rows(release.corpus)
    seen = {
        name: [(row.text, sorted(row.labels.items())) for row in each]
        for name, each in rows.items()
    }

    def read_all(folder: Path) -> None:
        found = {}
        for name, each in rows.items():
            texts = [row.text for row in each]
            with work.talk.progress(f"{form.kind} {name}", "texts") as report:
                parts = []
                for at in range(0, len(texts), CHUNK):
                    parts.append(form.read(texts[at : at + CHUNK]))
                    report(at + CHUNK, len(texts))
            found[name] = np.concatenate(parts)
        with replaced(folder / "logits.npz") as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **found)

    read = work.made(f"{form.kind}_read", [form.key, seen], (network,), read_all)

    def measure(folder: Path) -> None:
        with np.load(read.folder / "logits.npz") as kept:
            sets = {
                name: DevSet(name=name, rows=each, logits=kept[name]) for name, each in rows.items()
            }
        numbers = calibrate.calibration(sets, release.abstain)
        found = _Figures(numbers=numbers, measured=tuple(calibrate.measures(sets, numbers)))
        write(folder / "figures.json", msgspec.json.encode(found))

    wanted = msgspec.to_builtins(release.abstain)
    made = work.made(f"{form.kind}_figures", [read.key, wanted], FIGURES_CODE, measure)
    return msgspec.json.decode((made.folder / "figures.json").read_bytes(), type=_Figures)


def _write_manifest(
    release: Release, folder: Path, names: Sequence[str], figures: _Figures
) -> None:
    manifest = records.manifest_of(
        name=release.name,
        version=release.version,
        licence=release.licence,
        processor=release.processor,
        files=records.hashes(folder, names),
        numbers=figures.numbers,
        training=release.training,
        measured=figures.measured,
    )
    records.write_card(folder, manifest)
    records.write_manifest(folder, manifest)
