"""What a test must not leave open."""

from __future__ import annotations

import os


def open_files() -> int:
    """Sockets, files and pipes that this process holds; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
