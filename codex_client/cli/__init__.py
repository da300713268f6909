"""The command line `codex-client`. Needs the extra [cli]."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from codex_client.cli.interrupts import INTERRUPTED, end_on_interrupt

if TYPE_CHECKING:
    from codex_client.errors import MissingExtraError

_EXTRA = ("rich", "typer")


def main() -> None:
    """The entry point: runs the command in `sys.argv` and ends the program with its exit status."""
    end_on_interrupt()
    try:
        from codex_client.cli.app import app
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        print(missing_extra(package).message, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    # A name that the terminal's encoding lacks is no reason to fail.
    reconfigure: Callable[..., None] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    try:
        app(prog_name="codex-client")
    except OSError as error:
        # Of help and version: commands have said it themselves.
        with suppress(OSError):
            print(f"error: {unwritten(error)}", file=sys.stderr)
        sys.exit(1)
    finally:
        _silence_broken_output()


def unwritten(error: OSError) -> str:
    """What is said where the system did not take the output."""
    return f"the output could not be written: {error.strerror or type(error).__name__}; see to where it goes"


def _silence_broken_output() -> None:
    """Throw away what cannot be written: the interpreter would try again at its end, and say so in its own words."""
    # A stream that was closed from the start is None.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _silence(stream)


def _silence(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def missing_extra(package: str) -> MissingExtraError:
    """What is said where a package of the extra is not installed."""
    from codex_client.errors import MissingExtraError

    return MissingExtraError(
        f"the command line needs the package {package!r}; pip install 'codex-client[cli]'", extra="cli"
    )
