"""What systemd is told over its socket (sd_notify(3)): ready, alive, stopping, and a status."""

from __future__ import annotations

import socket

import structlog

log = structlog.get_logger()

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


class Systemd:
    """Tells the supervisor at `address` ($NOTIFY_SOCKET); None: nobody listens, nothing happens."""

    def __init__(self, address: str | None) -> None:
        # sd_notify(3): a leading @ stands for the null byte of an abstract socket
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._has_failed = False

    def tell(self, *lines: str, status: str | None = None) -> None:
        """The lines are sent, with a status for `systemctl status`; a failure is logged once."""
        if not self._address:
            return
        said = [*lines, *([f"STATUS={' '.join(status.split())}"] if status else [])]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as pipe:
                # a supervisor that does not read must not freeze the loop
                pipe.sendto("\n".join(said).encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            if not self._has_failed:
                log.warning("supervisor_not_told", error=type(error).__name__)
            self._has_failed = True
        else:
            self._has_failed = False
