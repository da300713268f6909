"""Where a played reply waits: pauses by the clock, holds until the test lets go, stalls for ever."""

from __future__ import annotations

import anyio

from codex_client.api import Clock
from codex_client.testing.changes import Changes
from codex_client.testing.scripts import Hold, Pause, Stall


class Rests:
    """The waits of one player, a server or a transport."""

    def __init__(self, clock: Clock, changes: Changes) -> None:
        self.clock = clock
        self._changes = changes
        self._resting = 0
        self._releases = 0

    def release(self, holds: int) -> None:
        self._releases += holds
        self._changes.notify()

    async def rest(self, step: Pause | Hold | Stall) -> None:
        """Wait as the step says; a `Stall` returns only by cancellation."""
        if isinstance(step, Pause):
            await self.clock.sleep(step.seconds)
            return
        self._resting += 1
        self._changes.notify()
        try:
            if isinstance(step, Stall):
                await anyio.sleep_forever()
            await self._changes.wait_until(lambda: self._releases > 0)
            self._releases -= 1
        finally:
            self._resting -= 1

    async def reached(self, replies: int, within: float) -> None:
        """Wait until so many replies hold or stall."""
        await self._changes.expect(
            lambda: self._resting >= replies, within, lambda: f"{self._resting} of {replies} replies hold or stall"
        )
