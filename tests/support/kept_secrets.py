"""One assertion for whatever may say something: errors, log records, objects, texts."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable

from tests.support.secrecy import assert_unseen, everything_of


def assert_kept(secrets: Iterable[str], *said: object) -> None:
    """None of them shows one of the secrets."""
    assert_unseen("\n".join(_told(each) for each in said), secrets)


def _told(each: object) -> str:
    if isinstance(each, BaseException):
        return everything_of(each) + everything_of(copy.copy(each))
    if isinstance(each, logging.LogRecord):
        return f"{each.getMessage()}\n{vars(each)!r}"
    return f"{each}\n{each!r}"
