"""From the settings of a receiver to its notifier."""

from __future__ import annotations

from typing import assert_never

from veille.notifiers.base import Notifier, Tools
from veille.notifiers.email import EmailNotifier
from veille.notifiers.mqtt import MqttNotifier
from veille.notifiers.push import PushNotifier
from veille.notifiers.settings import (
    EmailReceiver,
    MqttReceiver,
    PushReceiver,
    ReceiverSettings,
    SlackReceiver,
    WebhookReceiver,
)
from veille.notifiers.slack import SlackNotifier
from veille.notifiers.webhook import WebhookNotifier


def build(settings: ReceiverSettings, *, tools: Tools) -> Notifier:
    """Return the notifier of a receiver; nothing is connected before the first send."""
    match settings:
        case SlackReceiver():
            return SlackNotifier(settings, tools=tools)
        case EmailReceiver():
            return EmailNotifier(settings, tools=tools)
        case WebhookReceiver():
            return WebhookNotifier(settings, tools=tools)
        case MqttReceiver():
            return MqttNotifier(settings, tools=tools)
        case PushReceiver():
            return PushNotifier(settings, tools=tools)
        case _:
            assert_never(settings)
