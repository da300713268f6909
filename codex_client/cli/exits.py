"""How commands end: their exit status, and one line for what went wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import NoReturn

import anyio
import typer
from rich.traceback import Traceback

from codex_client.cli import unwritten
from codex_client.cli.advice import in_command_words
from codex_client.cli.interrupts import interruptible
from codex_client.cli.output import say
from codex_client.cli.surroundings import Surroundings
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    LoginRequiredError,
    PoolExhaustedError,
    TokenRefreshError,
)


class ExitStatus(IntEnum):
    """Part of the interface: scripts go by these."""

    OK = 0
    FAILED = 1
    USAGE = 2
    LOGIN_REQUIRED = 3
    NO_ACCOUNT = 4
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.OK: "done",
    ExitStatus.FAILED: "failed",
    ExitStatus.USAGE: "wrong usage or setting",
    ExitStatus.LOGIN_REQUIRED: "login required",
    ExitStatus.NO_ACCOUNT: "no account can serve",
    ExitStatus.INTERRUPTED: "interrupted",
}

EXIT_HELP = f"Exit status: {', '.join(f'{status:d} {status.meaning}' for status in ExitStatus)}."

Work = Callable[[Surroundings], Awaitable[ExitStatus | None]]


def run(context: typer.Context, work: Work) -> NoReturn:
    """Do a command's work in an event loop, and end the command with its status; None stands for `OK`."""
    guard(context, lambda around: anyio.run(partial(work, around)))


def guard(context: typer.Context, work: Callable[[Surroundings], ExitStatus | None]) -> NoReturn:
    """The same for work that has event loops of its own, since it also waits for the terminal.

    A wait for the terminal in the middle of an event loop could not be interrupted.
    """
    around: Surroundings = context.obj
    try:
        with interruptible():
            status = work(around) or ExitStatus.OK
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
    except CodexError as error:
        status = exit_status(error)
        report(around, error)
    except BrokenPipeError:
        # Who read the output has gone, and has had enough: that is not worth a word.
        raise
    except OSError as error:
        status = ExitStatus.FAILED
        with suppress(OSError):
            report(around, CodexError(unwritten(error)).with_traceback(error.__traceback__))
    raise typer.Exit(int(status))


def exit_status(error: CodexError) -> ExitStatus:
    """The status of a command that ended with this error."""
    match error:
        case LoginRequiredError() | TokenRefreshError(permanent=True):
            return ExitStatus.LOGIN_REQUIRED
        case PoolExhaustedError():
            return ExitStatus.NO_ACCOUNT
        case ConfigurationError():
            return ExitStatus.USAGE
        case _:
            return ExitStatus.FAILED


def report(around: Surroundings, error: CodexError) -> None:
    """One line of what went wrong; under `--debug` also where. Never with locals: tokens may be among them."""
    if around.debug:
        around.err.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=False))
    say(around.err, in_command_words(error.message), style="bold red", label="error: ")
