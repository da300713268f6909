"""The memory of this process, in MiB, and how many files it may open."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def rss_mib() -> float:
    """What is resident now."""
    if _STATUS.exists():
        return _status("VmRSS")
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def peak_mib() -> float:
    """The most that was ever resident."""
    if _STATUS.exists():
        # Not getrusage: there Linux counts the parent's memory at the time of the fork as well.
        return _status("VmHWM")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _status(name: str) -> float:
    """A field of the kernel's status file, which counts in KiB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 2**10
    raise OSError(f"{_STATUS} has no {name}; this kernel does not tell memory")


def allow_many_files() -> None:
    """As many as the system lets this user open: each stream is a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
