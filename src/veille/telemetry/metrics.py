"""What veille counts about itself, for Prometheus. Labels come from config.toml, never from texts.

Like logs, metrics belong to the process: whoever builds a daemon begins them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# a second series for each counter, which nobody asks for
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client gives it no type

_LAGS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0)
"""From a push (seconds) to a feed that is read late (hours)."""
_DELAYS = (0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Around the promise of alerting.md B.5 P5: p50 2 s, p95 5 s, p99 15 s."""
_STEPS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ACKS = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 28_800.0, 86_400.0)
"""Around the usual escalation steps of 5, 10 and 15 minutes."""
SENT, FAILED, PARKED, WITHHELD = "sent", "failed", "parked", "withheld"


def _histogram(
    name: str, text: str, buckets: tuple[float, ...], registry: CollectorRegistry
) -> Histogram:
    return Histogram(name, text, buckets=buckets, registry=registry)


@dataclass(slots=True)
class Metrics:
    """The events of one daemon. `channels` gives the kind of each receiver."""

    channels: Mapping[str, str] = field(default_factory=dict)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    ingest_lag: Histogram = field(init=False)
    analyze_batch: Histogram = field(init=False)
    rule_eval: Histogram = field(init=False)
    notification_delay: Histogram = field(init=False)
    time_to_ack: Histogram = field(init=False)
    loop_lag: Gauge = field(init=False)
    live: Gauge = field(init=False)
    heartbeats: Counter = field(init=False)
    quota: Gauge = field(init=False)
    whispers: Gauge = field(init=False)
    rules_loaded: Gauge = field(init=False)
    rules_ok: Gauge = field(init=False)
    _notifications: Counter = field(init=False)

    def __post_init__(self) -> None:
        here = self.registry
        ProcessCollector(registry=here)
        self.ingest_lag = _histogram(
            "veille_ingest_lag_seconds",
            "From when a mention was published to when it was taken in.",
            _LAGS,
            here,
        )
        self.analyze_batch = _histogram(
            "veille_analyze_batch_seconds", "One batch read by the model.", _STEPS, here
        )
        self.rule_eval = _histogram(
            "veille_rule_eval_seconds", "One look of all rules.", _STEPS, here
        )
        self.notification_delay = _histogram(
            "veille_notification_delay_seconds",
            "From the opening of an incident to its first message to a receiver.",
            _DELAYS,
            here,
        )
        self.time_to_ack = _histogram(
            "veille_triage_time_to_ack_seconds",
            "From the opening of an incident or queue item to when a person took it.",
            _ACKS,
            here,
        )
        self.loop_lag = Gauge(
            "veille_loop_lag_seconds", "The event loop's worst delay of a minute.", registry=here
        )
        self.live = Gauge("veille_live", "1 while the daemon's own check is good.", registry=here)
        self.heartbeats = Counter(
            "veille_heartbeats_total", "Heartbeats by outcome.", ["outcome"], registry=here
        )
        self.quota = Gauge(
            "veille_collector_quota_remaining",
            "Requests the platform still allows, where it says so.",
            ["source"],
            registry=here,
        )
        text = "Answers to people in Slack that wait to be sent."
        self.whispers = Gauge("veille_slack_whispers_waiting", text, registry=here)
        self.rules_loaded = Gauge("veille_rules_loaded", "Rules in force.", registry=here)
        self.rules_ok = Gauge(
            "veille_rules_last_reload_ok",
            "1 while the rules folder is what is in force, 0 when it was refused.",
            registry=here,
        )
        self._notifications = Counter(
            "veille_notifications_total",
            "Attempts to tell a receiver.",
            ["channel", "receiver", "outcome"],
            registry=here,
        )
        # from the start, so that the first failure is an increase and not a new series
        for outcome in (SENT, FAILED, WITHHELD):
            self.heartbeats.labels(outcome)
        for receiver, channel in self.channels.items():
            for outcome in (SENT, FAILED, PARKED):
                self._notifications.labels(channel, receiver, outcome)

    def notified(self, receiver: str, outcome: str) -> None:
        """One more attempt to tell this receiver ended so."""
        channel = self.channels.get(receiver, "unknown")
        self._notifications.labels(channel, receiver, outcome).inc()


_current = [Metrics()]


def metrics() -> Metrics:
    """Return the metrics of this process's daemon."""
    return _current[0]


def begin(channels: Mapping[str, str]) -> Metrics:
    """Return metrics that count from zero; `metrics` returns them from now on."""
    _current[0] = Metrics(channels=channels)
    return _current[0]
