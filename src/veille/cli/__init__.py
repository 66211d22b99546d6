"""The command line."""

from __future__ import annotations


def main() -> None:
    """Run `veille`."""
    from veille.cli.root import root
    from veille.cli.terminal import speak_plainly

    speak_plainly()
    root()
