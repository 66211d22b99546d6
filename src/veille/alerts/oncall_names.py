"""Which names the on-call tables of config.toml use, and where: all must exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from veille.alerts.oncall_settings import (
    EscalationSettings,
    PersonSettings,
    ScheduleSettings,
    StepSettings,
)
from veille.alerts.settings import RouteSettings, placed

Use = tuple[str, str, str]
"""Where a name stands, what it is of (person, schedule, escalation, receiver), and the name."""


def uses(
    people: Sequence[PersonSettings],
    schedules: Sequence[ScheduleSettings],
    policies: Sequence[EscalationSettings],
    route: RouteSettings,
) -> Iterator[Use]:
    """Yield every name that another table must define."""
    for index, person in enumerate(people):
        for name in person.receivers:
            yield f"person[{index}].receivers", "receiver", name
    for index, schedule in enumerate(schedules):
        yield from _of_schedule(schedule, f"schedule[{index}]")
    for index, policy in enumerate(policies):
        for number, step in enumerate(policy.steps):
            yield from _of_step(step, f"escalation[{index}].steps[{number}]")
    for at, node in placed(route):
        if node.escalation:
            yield f"{at}.escalation", "escalation", node.escalation


def _of_schedule(schedule: ScheduleSettings, at: str) -> Iterator[Use]:
    for number, layer in enumerate(schedule.layers):
        for name in layer.people:
            yield f"{at}.layers[{number}].people", "person", name
    for number, override in enumerate(schedule.overrides):
        yield f"{at}.overrides[{number}].person", "person", override.person


def _of_step(step: StepSettings, at: str) -> Iterator[Use]:
    for key, kind, names in (
        ("schedules", "schedule", step.schedules),
        ("people", "person", step.people),
        ("receivers", "receiver", step.receivers),
    ):
        for name in names:
            yield f"{at}.{key}", kind, name
