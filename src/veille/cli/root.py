"""`veille`: commands are imported when they are called, so that `--help` answers at once."""

from __future__ import annotations

import errno
import importlib
import keyword
import sys
from pathlib import Path
from typing import Any

import click

from veille import __version__
from veille.cli.terminal import hang_up, is_gone
from veille.domain.errors import InputError, VeilleError

COMMANDS = {
    "run": "the daemon: listen, understand, alert, serve the queue",
    "demo": "play the bundled night of flooding with local stand-ins for Slack and mail",
    "init": "make a new installation in a folder",
    "try": "show a source, an address or a file as it would be masked and understood",
    "add": "add a source or a receiver to the configuration",
    "check": "validate configuration, secrets, rules and models",
    "doctor": "look at machine, store, sources, receivers and model, and name the remedies",
    "schema": "print the JSON Schema of config.toml, for editors",
    "analyze": "read texts or mentions and print what the model understands",
    "replay": "play a file on a virtual clock and print what would have alerted",
    "explain": "say why something alerted, or why it did not",
    "rules": "test rules on written mentions",
    "models": "measure, calibrate and train what reads the texts",
    "report": "write the weekly summary",
    "queue": "list, acknowledge, assign, resolve, note; while the daemon runs",
    "search": "find mentions by their words and what is known of them",
    "export": "write the hits of a search, or the queue, as CSV, JSON Lines or Atom",
    "silence": "mute incidents or labels for a while, list what is muted, end it early",
    "oncall": "who is on call now and next, gaps ahead, overrides",
    "backup": "copy the store while it is in use, verify a copy, put one back",
    "privacy": "export, erase or oppose for one person; apply retention now",
    "push": "make the key of notifications on phones; list who has them on",
    "user": "add, list and disable the people who may log in",
}


class _Lazy(click.Group):
    """Knows its commands by name, imports `veille.cli.<name>` only for the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        suffix = "_" if keyword.iskeyword(cmd_name) else ""  # `try` is no name for a module
        module = importlib.import_module(f"veille.cli.{cmd_name}{suffix}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own signature
        if not {*ctx.args} & {*ctx.help_option_names}:  # a help text need not wait for it
            from veille.telemetry import configure_logs

            configure_logs(level="warning")  # what a command did is printed; only run says more
        try:
            return super().invoke(ctx)
        except InputError as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        except VeilleError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        except BrokenPipeError:
            hang_up()
            sys.exit(1)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            where = error.filename or "what is written to"
            click.echo(f"{where}: {error.strerror}: make room, then run it again", err=True)
            hang_up()
            sys.exit(1)
        except ExceptionGroup as error:  # of tasks, one of which printed
            if error.split(BrokenPipeError)[1] is not None or not is_gone():
                raise
            hang_up()
            sys.exit(1)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="veille")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="configuration file (default: ./config.toml, then /etc/veille/config.toml)",
)
@click.pass_context
def root(ctx: click.Context, config: Path | None) -> None:
    """Listen to what people write about a public institution, and warn in time."""
    ctx.obj = config


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="configuration file (default: ./config.toml, then /etc/veille/config.toml)",
)
json_option = click.option("--json", "as_json", is_flag=True, help="exact, stable JSON")


def chosen(ctx: click.Context, path: Path | None) -> Path | None:
    """Return the `--config` given after the command, else the one given before it."""
    if path is not None:
        return path
    before = ctx.find_root().obj
    return before if isinstance(before, Path) else None
