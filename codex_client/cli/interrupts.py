"""Ctrl-C outside a command's work: while the program loads, and once its status is certain."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager

# What a shell reports of a program that SIGINT has ended.
INTERRUPTED = 130


def end_on_interrupt() -> None:
    """From now on Ctrl-C ends the program at once and without a word.

    A `KeyboardInterrupt` would come up in the middle of an import, where it is shown, or swallowed. Whoever has the
    program ignore SIGINT, as a shell does with what it runs in the background, has it stay so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def interruptible() -> Generator[None]:
    """In here it is a `KeyboardInterrupt`, so that what is open is closed."""
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _end)


def _end(*_: object) -> None:
    os._exit(INTERRUPTED)
