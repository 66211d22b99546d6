"""Systemd's end of the notify socket."""

from __future__ import annotations

import socket
from types import TracebackType


class Supervisor:
    """Hears what a service says; `address` is its $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def heard(self, *, within_s: float = 0.0) -> list[str]:
        """Return all lines that wait, else those of the first message to come within the limit."""
        lines: list[str] = []
        self._socket.settimeout(within_s)  # 0: does not block
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except (BlockingIOError, TimeoutError):
                return lines
            self._socket.settimeout(0.0)
