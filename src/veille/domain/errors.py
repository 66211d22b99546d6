"""Every error veille raises on purpose.

VeilleError
├── InputError            what came from outside is wrong; says what, where and the remedy
│   ├── ConfigError       config.toml, a secret, a command-line value (exit 2)
│   ├── RuleError         a rule or test file
│   ├── QueryError        a watch's boolean query, or a search; `key`, `column`
│   ├── MentionError      one line of mention interchange
│   ├── OwnShiftError     a shift of somebody else, from who may give away only their own
│   ├── LastAdminError    nobody would be left who may manage users
│   ├── LoginRefused      an identity provider's word is not enough; `reason`
│   ├── TargetError       a target said of a text that is not hostile
│   └── ReasonError       a question or request is closed without an answer, and nobody said why
├── ModelError            model files missing, altered or of another version
├── AnalystLostError      the process that holds the model died while it read
├── SourceError           a source could not be read; `retry_after_s`, `may_retry`
├── IntakeRefused         a pushed request is refused; `status`
├── DeliveryError         a notification was not taken; `retry_after_s`, `may_retry`, `is_unknown`
├── StoreError            the database refuses
└── ConflictError         somebody else changed it first
"""

from __future__ import annotations


class VeilleError(Exception):
    """Something veille names: its message says what happened to what, and the remedy."""


class InputError(VeilleError):
    """What came from outside is wrong."""


class ConfigError(InputError):
    """A setting, secret or command-line value is wrong."""


class RuleError(InputError):
    """A rule or rule test file is wrong; the message starts with `file:line:column`."""


class QueryError(InputError):
    """A watch's query, or a search, does not parse.

    `key` and `values` say the same in the catalogue, under `search.error`; `column` counts from 1,
    0 where no place is to blame.
    """

    def __init__(self, message: str, *, key: str = "", column: int = 0, **values: object) -> None:
        super().__init__(message)
        self.key = key
        self.column = column
        self.values = values


class MentionError(InputError):
    """One line of mention interchange is wrong."""


class TargetError(InputError):
    """A target was said of a text that is not hostile."""


class ReasonError(InputError):
    """A question or request is closed without an answer, and nobody said why."""


class OwnShiftError(InputError):
    """A shift is somebody else's, and whoever asks may give away only their own."""


class LastAdminError(InputError):
    """Nobody would be left who may manage users."""


class LoginRefused(InputError):
    """An identity provider's word is not enough; `reason` is a key under `people.refused`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModelError(VeilleError):
    """Model files are missing, altered or of another version."""


class AnalystLostError(VeilleError):
    """The process that holds the model died while it read; the next call starts another."""


class SourceError(VeilleError):
    """A source could not be read.

    `retry_after_s` is the wait the source asked for, if it did; `may_retry` is false when only a
    change of configuration helps (401, 404, 410).
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, may_retry: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_retry = may_retry


class IntakeRefused(VeilleError):
    """A pushed request is refused with an HTTP `status`."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class DeliveryError(VeilleError):
    """A receiver did not take a notification.

    `is_unknown` is true when it may have arrived all the same (a timeout after sending).
    `may_retry` is false when only a change of configuration helps (invalid_auth). `is_content` is
    true when this one message is refused for what it holds, and others may pass.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        may_retry: bool = True,
        is_unknown: bool = False,
        is_content: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_retry = may_retry
        self.is_unknown = is_unknown
        self.is_content = is_content


class StoreError(VeilleError):
    """The database refuses: locked too long, damaged, of a newer version."""


class ConflictError(VeilleError):
    """Somebody else changed the incident or queue item first; reload and decide again."""


class RereadError(ConflictError):
    """A text or its analysis is not what was judged any more; read it again, then judge."""
