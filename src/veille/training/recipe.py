"""recipe.toml: which runs, averages and probes lead from the starting weights to the network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from veille.domain.errors import ConfigError
from veille.training.labels import HEADS

ROUNDING = 1e-6
START = "start"
"""The name of the encoder everything begins with, its heads not yet trained."""

Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,30}$")]


class Repeats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each set is seen in a run; of `t26` (18,650 rows), how many rows are drawn."""

    ours: Count = 0
    umsab: Count = 0
    deft: Count = 0
    toxifrench: Count = 0
    t26: Count = 0


class Run(
    msgspec.Struct, tag="run", tag_field="kind", frozen=True, kw_only=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Fine-tune `start` on the sets. `heads`: those that learn; `files`: of our sentences.

    Empty means all.
    """

    name: Name
    start: Name = START
    lr: Rate
    seed: Count
    repeats: Repeats
    heads: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Probe(
    msgspec.Struct, tag="probe", tag_field="kind", frozen=True, kw_only=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Set `heads` to linear classifiers of the frozen vectors of `start`."""

    name: Name
    start: Name
    heads: tuple[str, ...]


class Soup(
    msgspec.Struct, tag="soup", tag_field="kind", frozen=True, kw_only=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Average the weights of `of`, by `shares` that sum to 1; empty means equally."""

    name: Name
    of: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    shares: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        if self.shares and (
            len(self.shares) != len(self.of) or abs(sum(self.shares) - 1) > ROUNDING
        ):
            raise ValueError(f"the shares of {self.name!r} must be one for each and sum to 1")


class Distil(
    msgspec.Struct, tag="distil", tag_field="kind", frozen=True, kw_only=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Teach `layers` of the network `start` to say what all of it says; profile `fast` alone."""

    name: Name
    start: Name
    layers: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)]
    lr: Rate
    seed: Count
    repeats: Repeats


Step = Run | Probe | Soup | Distil
Profile = Literal["default", "fast"]


class Abstain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a head says nothing: under the probability that one of the two asks for on dev.

    `coverage`: the share of texts that get a label; `precision`: the share of each label that is
    right.
    """

    coverage: Share | None = None
    precision: Share | None = None

    def __post_init__(self) -> None:
        if (self.coverage is None) == (self.precision is None):
            raise ValueError("abstain takes either coverage or precision")

    def words(self) -> str:
        """Return what is asked for, as the manifest records it."""
        if self.coverage is not None:
            return f"coverage of {self.coverage:g}"
        return f"precision of {self.precision:g} of each label"


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; the steps are made in their order, the last is what is published."""

    version: str
    licence: str
    abstain: dict[Literal["sentiment", "hostility", "intent"], Abstain] = {}
    step: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]

    def steps(self, profile: Profile) -> tuple[Step, ...]:
        """Return what the profile needs: `default` has nothing distilled."""
        return tuple(s for s in self.step if profile == "fast" or not isinstance(s, Distil))


def needs(step: Step) -> tuple[str, ...]:
    """Return the names of the steps whose weights this one begins with."""
    return step.of if isinstance(step, Soup) else (step.start,)


def read_recipe(path: Path) -> Recipe:
    """Return the recipe. Raises ConfigError, naming what is wrong in which step."""
    try:
        recipe = msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read; name the recipe with --recipe") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    known: set[str] = {START}
    for step in recipe.step:
        _check(path, step, known)
        known.add(step.name)
    return recipe


def _check(path: Path, step: Step, known: set[str]) -> None:
    if step.name in known:
        raise ConfigError(f"{path}: two steps are named {step.name!r}; rename one")
    if missing := [name for name in needs(step) if name not in known]:
        raise ConfigError(f"{path}: step {step.name!r} needs {missing[0]!r}, no step before it")
    heads = step.heads if isinstance(step, Run | Probe) else ()
    if unknown := [head for head in heads if head not in HEADS]:
        raise ConfigError(f"{path}: step {step.name!r}: no head {unknown[0]!r}; {', '.join(HEADS)}")
