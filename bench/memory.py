"""The memory of a process, in MiB, and how many files this one may open."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def rss_mib(pid: int | None = None) -> float:
    """What is resident now, of this process or of another one."""
    status = _status_file(pid)
    if status.exists():
        return _field(status, "VmRSS")
    import psutil

    return psutil.Process(pid).memory_info().rss / 2**20


def peak_mib() -> float:
    """The most that was ever resident."""
    status = _status_file(None)
    if status.exists():
        # Not getrusage: there Linux counts the parent's memory at the time of the fork as well.
        return _field(status, "VmHWM")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _status_file(pid: int | None) -> Path:
    return Path(f"/proc/{pid or 'self'}/status")


def _field(status: Path, name: str) -> float:
    """A field of the kernel's status file, which counts in KiB."""
    for line in status.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 2**10
    raise OSError(f"{status} has no {name}; this kernel does not tell memory")


def allow_many_files() -> None:
    """As many as the system lets this user open: each stream is a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
