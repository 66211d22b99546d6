"""What veille says about itself: logs. Ids only: never the text or the author of a mention."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(*, level: str = "info") -> None:
    """Write one JSON object an event to standard error from now on, of libraries too."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    libraries = logging.getLogger()
    if not any(isinstance(handler, _Library) for handler in libraries.handlers):
        libraries.addHandler(_Library(logging.WARNING))
    logging.captureWarnings(capture=True)


class _Library(logging.Handler):
    """Says where a library complained, not what: its words may quote what it carried."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line for this record."""
        error = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().warning(
            "library",
            name=record.name,
            at=f"{record.module}:{record.lineno}",
            error=error.__name__ if error else None,
        )
