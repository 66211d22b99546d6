"""What `veille check` and `veille rules test` find, without storing or sending anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from veille.app import parts
from veille.app.channels import doors
from veille.collectors.base import WebhookSource
from veille.config import Loaded, nodes, unknown_name
from veille.domain.errors import RuleError, VeilleError
from veille.notifiers.settings import SlackReceiver
from veille.pipeline import rule_tests
from veille.pipeline.rule_tests import Report


def findings(loaded: Loaded) -> list[str]:
    """Return every problem of secrets, rules and models, each with its remedy; empty when none."""
    found = [*_missing_secrets(loaded)]
    checks: list[Callable[[], object]] = [
        lambda: parts.rules(loaded),
        lambda: parts.load_analyst(loaded).close(),
    ]
    if loaded.config.privacy.key in loaded.secrets:
        checks.append(lambda: parts.protector(loaded))
    else:
        found.extend(_without_authors(loaded))
    if not found:
        checks.append(lambda: doors(loaded))
    found.extend(_unmatched(loaded))
    for part in checks:
        try:
            part()
        except VeilleError as error:
            found.extend(str(error).splitlines())
    return found


def _unmatched(loaded: Loaded) -> Iterator[str]:
    """Yield names in the route that no alert can have: a typo there tells nobody."""
    try:
        rules = parts.rules(loaded).rules
    except VeilleError:
        return
    labels = {"severity", "rule", "topic"}
    for rule in rules:
        labels.update(rule.group_by, rule.labels)
    names = {rule.id for rule in rules}
    yield from _strange("route.group_by", loaded.route.group_by, labels)
    for node in nodes(loaded.route):
        yield from _strange("route.match", node.match, labels)
        if "rule" in node.match:
            yield from _strange("route.match.rule", [node.match["rule"]], names)


def _strange(where: str, given: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for name in given:
        if name not in known:
            yield f"config.toml: {unknown_name(where, name, known)}"


def _without_authors(loaded: Loaded) -> Iterator[str]:
    """Yield what cannot work while authors are dropped: rules that count them."""
    try:
        counting = [rule.id for rule in parts.rules(loaded).rules if rule.min_authors > 1]
    except VeilleError:
        return
    if counting:
        name = loaded.config.privacy.key
        yield (
            f"secret {name} is missing, so authors are dropped and these rules can never fire: "
            f'{", ".join(counting)}; add the line {name} = "at least 16 random characters" to '
            f"{loaded.path.parent / loaded.config.veille.secrets}"
        )


def secret_names(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Yield where a secret is needed, and its name."""
    for source in loaded.config.source:
        if isinstance(source, WebhookSource):
            yield f"source {source.id}", source.secret
    for receiver in loaded.config.receiver:
        if isinstance(receiver, SlackReceiver):
            yield f"receiver {receiver.id}", receiver.token
        elif receiver.password is not None:
            yield f"receiver {receiver.id}", receiver.password


def _missing_secrets(loaded: Loaded) -> Iterator[str]:
    for where, name in secret_names(loaded):
        try:
            loaded.secrets(name)
        except VeilleError as error:
            yield f"{where}: {error}"


def rules_report(paths: Sequence[Path], loaded: Loaded | None) -> Report:
    """Return what the tests of these rule files say; without paths, those of the configuration.

    The model is loaded only if a mention in a test has no analysis written beside it.
    """
    given = paths or [parts.rules_folder(loaded)]
    files = rule_tests.gather(given)
    if not files:
        raise RuleError(f"{given[0]}: no rules and no tests here: name a folder that holds some")
    analyst = cache(lambda: parts.load_analyst(loaded))
    return rule_tests.run(files, lambda texts: analyst().analyze(texts))
