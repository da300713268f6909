"""Whether a process has grown between two moments. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a process holds once `streams` have ended.

    `blocks` and `heap_bytes` are what Python's allocator and the system's have given out and not got back: neither
    knows the gaps that make `rss_bytes` wander.
    """

    streams: int
    files: int
    sockets: int
    tasks: int
    blocks: int
    heap_bytes: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """One figure at two moments, and by how much it may differ."""

    name: str
    before: float
    after: float
    allowed: float

    @property
    def too_much(self) -> bool:
        return self.after - self.before > self.allowed


# Each as a fixed part and a part for every stream between the two moments.
_QUIET_LIMITS = {
    # A connection whose body did not end within the clients' 50 ms is not kept, so a few less may be open at first.
    "files": (4, 0.0),
    "sockets": (4, 0.0),
    "tasks": (0, 0.0),
    # Caches and dictionaries still grow a little. A leak of 1 KiB a stream is a block and 1,024 bytes a stream.
    "blocks": (1000, 0.1),
    "heap_bytes": (_MIB / 2, 128.0),
}
_CLOSED_LIMITS = {"files": (0, 0.0), "sockets": (0, 0.0), "tasks": (0, 0.0)}
# What memory loses to gaps before it settles, measured with 200 streams at once.
_LOAD_LIMITS = {"rss_bytes": (16 * _MIB, _KIB / 2)}


def quiet_growth(before: Sample, after: Sample) -> list[Growth]:
    """Between two moments without streams, the clients open."""
    return _compared("quiet", before, after, _QUIET_LIMITS)


def closed_growth(before: Sample, after: Sample) -> list[Growth]:
    """From before the clients were made to after they were closed."""
    return _compared("closed", before, after, _CLOSED_LIMITS)


def load_growth(samples: Sequence[Sample]) -> list[Growth]:
    """From the first third of the samples under load to the last, by their medians."""
    third = len(samples) // 3
    if not third:
        raise ValueError(f"{len(samples)} samples were taken under load; at least 3 are needed")
    first, last = _medians(samples[:third]), _medians(samples[-third:])
    return _compared("under load", first, last, _LOAD_LIMITS)


def _medians(samples: Sequence[Sample]) -> Sample:
    names = Sample.__slots__
    return Sample(**{name: int(median(getattr(sample, name) for sample in samples)) for name in names})


def _compared(moment: str, before: Sample, after: Sample, limits: Mapping[str, tuple[float, float]]) -> list[Growth]:
    streams = after.streams - before.streams
    return [
        Growth(f"{name}, {moment}", getattr(before, name), getattr(after, name), fixed + each * streams)
        for name, (fixed, each) in limits.items()
    ]


def growth_table(growths: Sequence[Growth]) -> Iterator[str]:
    yield f"{'':<24}{'before':>13}{'after':>13}{'growth':>13}{'allowed':>13}"
    for each in growths:
        numbers = (each.before, each.after, each.after - each.before, each.allowed)
        mark = "  GROWN" if each.too_much else ""
        yield f"{each.name:<24}" + "".join(f"{number:>13,.0f}" for number in numbers) + mark
