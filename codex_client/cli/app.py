"""The command line itself: its global options, and which commands there are."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from codex_client.cli.accounts import accounts
from codex_client.cli.doctor import doctor
from codex_client.cli.exits import EXIT_HELP
from codex_client.cli.login import login
from codex_client.cli.logout import logout
from codex_client.cli.models import models
from codex_client.cli.quota import QUOTA_HELP, quota
from codex_client.cli.record import record
from codex_client.cli.replay import replay
from codex_client.cli.serve import serve
from codex_client.cli.stream import stream
from codex_client.cli.surroundings import Surroundings
from codex_client.cli.transfer import export, import_
from codex_client.version import __version__

_GLOBAL = frozenset({"--no-color", "--debug"})


def _without_types(params: list[Any]) -> list[Any]:
    """Options that take no value, shown without the type of one."""
    for each in params:
        if getattr(each, "is_flag", False):
            each.metavar = ""
    return params


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))


class _Group(TyperGroup):
    """Takes the global options behind the command as well."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        first = [each for each in args[:end] if each in _GLOBAL]
        rest = [each for each in args[:end] if each not in _GLOBAL]
        # A command is missing all the same where there is nothing else.
        return super().parse_args(ctx, [*first, *rest, *args[end:]] if rest else args)


app: typer.Typer = typer.Typer(
    name="codex-client",
    cls=_Group,
    epilog=EXIT_HELP,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    # No locals in tracebacks: tokens may be among them.
    pretty_exceptions_show_locals=False,
)

_add = partial(app.command, cls=_Command)
_add()(login)
_add()(logout)
_add()(accounts)
_add(epilog=QUOTA_HELP)(quota)
_add()(models)
_add("import")(import_)
_add()(export)
_add()(stream)
_add()(record)
_add()(replay)
_add()(doctor)
_add()(serve)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codex-client {__version__}")
        raise typer.Exit


@app.callback()
def set_up(
    context: typer.Context,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, as with NO_COLOR set.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and end.")
    ] = False,
) -> None:
    """Turns with language models from the command line, and the ChatGPT accounts that may serve them."""
    around: Surroundings = context.obj or Surroundings()
    if no_color:
        around.out.no_color = around.err.no_color = True
    around.debug = debug
    context.obj = around
