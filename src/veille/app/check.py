"""What `veille check` and `veille rules test` find, without storing or sending anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from veille.alerts.operational import AUDIT_BROKEN, RULES_REFUSED
from veille.alerts.settings import placed
from veille.app import oncall, parts, push
from veille.app.channels import doors, signing_secret
from veille.collectors.base import MastodonSource, MqttSource, WebhookSource
from veille.config import Loaded, unknown_name
from veille.domain.clock import utc_now
from veille.domain.durations import format_duration
from veille.domain.errors import RuleError, VeilleError
from veille.net.guard import check_literal
from veille.notifiers.settings import PushReceiver, SlackReceiver, WebhookReceiver
from veille.pipeline import mutants, rule_tests
from veille.pipeline.mutants import Survey
from veille.pipeline.rule_tests import Model, Report
from veille.rules.lint import heavy, undecided
from veille.rules.model import Rule
from veille.rules.parse_spike import MIN_POINTS


def findings(loaded: Loaded) -> list[str]:
    """Return every problem of secrets, rules and models, each with its remedy; empty when none."""
    found = [*_missing_secrets(loaded)]
    checks: list[Callable[[], object]] = [
        lambda: parts.rules(loaded),
        lambda: push.desk(loaded),
        lambda: parts.load_analyst(loaded).close(),
    ]
    if loaded.config.privacy.key in loaded.secrets:
        checks.append(lambda: parts.protector(loaded))
    elif not loaded.secrets.trouble:  # else the key may well be there
        found.extend(_without_authors(loaded))
    if not found:
        checks.append(lambda: doors(loaded))
        checks.append(lambda: _signing_keys(loaded))
    found.extend(_unmatched(loaded))
    found.extend(_unwritable(loaded))
    found.extend(short_memories(loaded))
    found.extend(private_addresses(loaded))
    found.extend(f"{loaded.path.name}: {problem}" for problem in _unsigned(loaded))
    found.extend(oncall.findings(loaded, now=utc_now()))
    found.extend(push.findings(loaded))
    for part in checks:
        try:
            part()
        except VeilleError as error:
            found.extend(str(error).splitlines())
    return list(dict.fromkeys(found))  # the model reads the topics that rules name


def _unmatched(loaded: Loaded) -> Iterator[str]:
    """Yield names in the route, or in what inhibits, that no alert can have.

    A typo there tells nobody, or everybody.
    """
    try:
        rules = parts.rules(loaded).rules
    except VeilleError:
        return
    if not rules:
        folder = parts.rules_folder(loaded)
        yield f"{folder}: no rule is enabled, nothing can alert: see docs/rules.md, write one"
        return
    labels = label_names(rules)
    names = {rule.id for rule in rules} | {RULES_REFUSED, AUDIT_BROKEN}
    yield from _strange("route.group_by", loaded.route.group_by, labels)
    for at, node in placed(loaded.route):
        yield from _strange(f"{at}.match", node.match, labels)
        if "rule" in node.match:
            yield from _strange(f"{at}.match.rule", [node.match["rule"]], names)
    for index, one in enumerate(loaded.config.inhibit):
        yield from _strange(f"inhibit[{index}].equal", one.equal, labels)
        for side, match in (("source", one.source), ("target", one.target)):
            yield from _strange(f"inhibit[{index}].{side}", match, labels)
            said = match.get("rule", ())
            rules_of = (said,) if isinstance(said, str) else said
            yield from _strange(f"inhibit[{index}].{side}.rule", rules_of, names)


def label_names(rules: Iterable[Rule]) -> set[str]:
    """Return the labels that an alert of these rules may have, and `watch`, which defaults name."""
    found = {"severity", "rule", "topic", "watch"}
    for rule in rules:
        found.update(rule.group_by, rule.labels)
    return found


def short_memories(loaded: Loaded) -> Iterator[str]:
    """Yield the rules that compare with more windows than mentions are kept for."""
    text = loaded.config.privacy.retention.neutral
    kept = loaded.config.privacy.retention.durations()["neutral"]
    try:
        rules = parts.rules(loaded).rules
    except VeilleError:
        return
    for rule in rules:
        if rule.span > max(kept, rule.window):
            name = "points" if rule.previous else "steps"
            points = kept // rule.window - bool(rule.previous)
            fewer = f"{name}: {points} or less, or " if points >= MIN_POINTS else ""
            yield (
                f"{rule.file}:{rule.line}: rule {rule.id} looks back {format_duration(rule.span)}, "
                f'but neutral = "{text}" of privacy.retention deletes mentions before: '
                f"write {fewer}a shorter window"
            )


def weighed(loaded: Loaded) -> Iterator[str]:
    """Yield what costs more than it should, asks for a territory that no watch has, or never
    decides: not wrong, so that the status stays 0.
    """
    try:
        ruleset = parts.rules(loaded)
    except VeilleError:
        return
    yield from heavy(ruleset)
    has_territory = any(watch.territory for watch in loaded.watches)
    for rule in ruleset.rules:
        where = f"{rule.file}:{rule.line}: rule {rule.id}"
        if (why := undecided(rule)) is not None:
            yield f"{where}: {why}"
        if not has_territory and "territory" in rule.where.fields:
            yield f"{where} asks for territory, and no watch has one: write it in config.toml"


def _unwritable(loaded: Loaded) -> Iterator[str]:
    """Yield why the data folder cannot be used; one that does not exist is made by the daemon."""
    folder = loaded.resolve(loaded.config.veille.data_dir)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    where = f"{loaded.path.name}: veille.data_dir: {folder}"
    if not nearest.is_dir():
        yield f"{where}: {nearest} is no folder: name another one"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        yield f"{where}: {nearest} cannot be written to: change its owner or name another folder"


def private_addresses(loaded: Loaded) -> Iterator[str]:
    """Yield each address of a source or receiver that is private and not allowed to be.

    Only addresses written as such: names are resolved when they are connected to.
    """
    for section in ("source", "receiver"):
        for index, settings in enumerate(getattr(loaded.config, section)):
            if getattr(settings, "allow_private", False):
                continue
            for key, host in _hosts(settings):
                try:
                    check_literal(host, allow_private=False)
                except VeilleError as error:
                    yield f"{loaded.path.name}: {section}[{index}].{key}: {error}"


def _hosts(settings: object) -> Iterator[tuple[str, str]]:
    """Yield the hosts that settings of any kind name, with their keys."""
    if host := getattr(settings, "host", None):
        yield "host", host
    for key in ("url", "urls", "api_url"):
        value = getattr(settings, key, None) or ()
        for url in [value] if isinstance(value, str) else value:
            with suppress(ValueError):  # a bracket that is not closed: found when it is read
                if host := urlsplit(url).hostname:
                    yield key, host


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
    yield from oncall.secret_names(loaded)
    for source in loaded.config.source:
        if isinstance(source, WebhookSource):
            yield f"source {source.id}", source.secret
        elif isinstance(source, MqttSource) and source.password is not None:
            yield f"source {source.id}", source.password
        elif isinstance(source, MastodonSource) and source.token is not None:
            yield f"source {source.id}", source.token
    named = {
        "oidc.client_secret": loaded.config.oidc.client_secret,
        "slack.signing_secret": loaded.config.slack.signing_secret,
    }
    yield from ((place, name) for place, name in named.items() if name)
    for receiver in loaded.config.receiver:
        if isinstance(receiver, SlackReceiver):
            yield f"receiver {receiver.id}", receiver.token
        elif isinstance(receiver, WebhookReceiver):
            yield f"receiver {receiver.id}", receiver.secret
        elif isinstance(receiver, PushReceiver):
            yield f"receiver {receiver.id}", loaded.config.push.key
        elif receiver.password is not None:
            yield f"receiver {receiver.id}", receiver.password


def _unsigned(loaded: Loaded) -> Iterator[str]:
    """Yield why what Slack sends cannot be verified, or nobody could be known there."""
    name = loaded.config.slack.signing_secret
    if not name:
        return
    if not any(isinstance(receiver, SlackReceiver) for receiver in loaded.config.receiver):
        yield "slack.signing_secret: no receiver is a Slack channel: add one, or leave it out"
    members = [person.slack for person in loaded.config.person if person.slack]
    if not members:
        yield (
            "slack.signing_secret: nobody in Slack is known to veille, so every button is refused: "
            'add [[person]] with id = "their user name" and slack = "their member id (U…)"'
        )
    for member in sorted({each for each in members if members.count(each) > 1}):
        yield f"person.slack: {member} is two people: each member id is of one"


def _signing_keys(loaded: Loaded) -> None:
    for receiver in loaded.config.receiver:
        if isinstance(receiver, WebhookReceiver):
            signing_secret(loaded, f"receiver {receiver.id}", receiver.secret)


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
    files, topics = _gathered(paths, loaded)
    model = _model(loaded)
    return rule_tests.run(files, model.analyze, around=model.around, topics=topics)


def rules_survey(
    paths: Sequence[Path], loaded: Loaded | None, told: mutants.Told = lambda _done, _total: None
) -> Survey:
    """Return which mutants of these rules their tests notice; paths and model as for the tests."""
    files, topics = _gathered(paths, loaded)
    return mutants.survey(files, _model(loaded), topics=topics, told=told)


def _gathered(
    paths: Sequence[Path], loaded: Loaded | None
) -> tuple[dict[str, bytes], dict[str, list[str]]]:
    """Return the files, and the topics that rules may name, by file."""
    given = paths or [parts.rules_folder(loaded)]
    files = rule_tests.gather(given)
    if not files:
        raise RuleError(f"{given[0]}: no rules and no tests here: name a folder that holds some")
    known = cache(lambda folder: [t.id for t in parts.topics(loaded, beside=folder)])
    return files, {name: known(Path(name).parent) for name in files}


def _model(loaded: Loaded | None) -> Model:
    analyst = cache(lambda: parts.load_analyst(loaded))
    return Model(lambda passages: analyst().analyze(passages), parts.surroundings(loaded))
