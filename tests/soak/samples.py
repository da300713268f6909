"""Counting what this process holds; by /proc and glibc, so on Linux only."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from functools import cache

import anyio
import trio
from pydantic_core import from_json, to_json

from tests.soak.growth import Sample

_SETTLE_ROUNDS = 100


def take_sample(streams: int, *, backend: str) -> Sample:
    links = [_target(name) for name in os.listdir("/proc/self/fd")]
    with open("/proc/self/statm", encoding="ascii") as pages:
        rss_pages = int(pages.read().split()[1])
    tasks = len(asyncio.all_tasks()) if backend == "asyncio" else trio.lowlevel.current_statistics().tasks_living
    heap = _c_library().mallinfo2()
    return Sample(
        streams=streams,
        files=len(links),
        sockets=sum(link.startswith("socket:") for link in links),
        tasks=tasks,
        blocks=sys.getallocatedblocks(),
        heap_bytes=heap.uordblks + heap.hblkhd,
        rss_bytes=rss_pages * os.sysconf("SC_PAGE_SIZE"),
    )


async def settled_sample(streams: int, *, backend: str) -> Sample:
    """A sample after a collection, once two in a row agree: what was just closed takes a few turns of the loop."""
    previous = None
    for _ in range(_SETTLE_ROUNDS):
        gc.collect()
        sample = take_sample(streams, backend=backend)
        held = (sample.files, sample.sockets, sample.tasks)
        if held == previous:
            return sample
        previous = held
        await anyio.sleep(0.1)
    raise RuntimeError(f"files, sockets and tasks do not come to rest: {previous}")


def fill_string_cache() -> None:
    """pydantic keeps up to 16,384 short strings that it read from JSON; its filling would look like growth."""
    from_json(to_json([f"soak {number}" for number in range(200_000)]), cache_strings="all")


def _target(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        # The folder's own, closed by now.
        return ""


class _HeapFigures(ctypes.Structure):
    """`struct mallinfo2` of <malloc.h>: ten sizes, of which two count the bytes in use."""

    _fields_ = [
        *((f"_before_{number}", ctypes.c_size_t) for number in range(4)),
        ("hblkhd", ctypes.c_size_t),
        *((f"_between_{number}", ctypes.c_size_t) for number in range(2)),
        ("uordblks", ctypes.c_size_t),
        *((f"_after_{number}", ctypes.c_size_t) for number in range(2)),
    ]


@cache
def _c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        raise RuntimeError("the soak test counts memory by mallinfo2 of glibc 2.33 or newer; run it on such a Linux")
    library.mallinfo2.restype = _HeapFigures
    return library
