"""Waiting for a lock that can only be asked for. Asked again and again on the given clock, the wait for it can be
cancelled on every event loop, and no thread is left behind that holds it for nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from codex_client.api import Clock

# Most locks are held for a few milliseconds, while a file is written; some for seconds, while an issuer answers.
_FIRST_INTERVAL = 0.001
_LONGEST_INTERVAL = 0.05
_GROWTH = 1.5


async def poll(take: Callable[[], bool], *, wait_limit: float, clock: Clock) -> bool:
    """Ask until `take` gives True; False where it did not within `wait_limit` seconds.

    The pauses grow and are of random length, so that those who wait do not ask in step.
    """
    deadline = clock.monotonic() + wait_limit
    longest = _FIRST_INTERVAL
    while not take():
        if clock.monotonic() >= deadline:
            return False
        await clock.sleep(longest * random.uniform(0.5, 1.0))
        longest = min(longest * _GROWTH, _LONGEST_INTERVAL)
    return True
