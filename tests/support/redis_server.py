"""A real redis-server of the tests' own, on a socket in a folder that ends with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "password-canary-redis"


@contextmanager
def redis_server() -> Iterator[str]:
    """Its URL. Skips where there is no redis-server, but not in CI, which has to have one."""
    binary = shutil.which("redis-server")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    # A socket's path may have about 100 characters, less than pytest's folders have.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder) / "socket"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", folder]
        command = [binary, *options, "--requirepass", PASSWORD]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                log: list[str] = []
                for line in process.stdout:
                    log.append(line)
                    if "ready to accept connections" in line.lower():
                        break
                else:
                    pytest.fail(f"redis-server did not start: {''.join(log)}")
                yield f"unix://:{PASSWORD}@{socket}"
            finally:
                process.terminate()
                process.communicate(timeout=10)
