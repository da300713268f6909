"""Starts Python modules of the tests as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0


@dataclass
class Running:
    """A process that waits for its start, and prints one line of JSON at its end."""

    process: Process

    async def ready(self) -> None:
        assert self.process.stdout is not None
        assert (await self.process.stdout.receive()).strip() == b"ready"

    async def start(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def outcome(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        printed = b"".join([chunk async for chunk in self.process.stdout])
        assert await self.process.wait() == 0
        return json.loads(printed)


@asynccontextmanager
async def waiting(module: str, *arguments: str) -> AsyncGenerator[Running]:
    """A process that is killed when the block is left early."""
    with anyio.fail_after(_PATIENCE):
        process = await anyio.open_process(_command(module, arguments), stderr=None, cwd=_ROOT, env=_environment())
        async with process:
            yield Running(process)


async def run(module: str, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a process that has ended."""
    with anyio.fail_after(_PATIENCE):
        ended = await anyio.run_process(
            _command(module, arguments), check=False, stderr=subprocess.STDOUT, cwd=_ROOT, env=_environment()
        )
    return ended.returncode, ended.stdout.decode()


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}
