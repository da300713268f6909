"""`python -m bench.cold CONTENDER BASE_URL API`: print when a process that has just begun had its first event.

In monotonic seconds of the machine, so that the parent can subtract the time at which it began the process.
"""

from __future__ import annotations

import asyncio
import sys

from bench.contenders import CONTENDERS
from bench.contenders.base import Setup


async def first_at(name: str, setup: Setup) -> float:
    async with CONTENDERS[name].open(setup) as client:
        return (await client.read("Why are there tides?")).first_at


if __name__ == "__main__":
    print(asyncio.run(first_at(sys.argv[1], Setup(sys.argv[2], sys.argv[3]))))
