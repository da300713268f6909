"""Clients of other projects, as processes that tell what they met at a gateway."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_gateway import KEY, KINDS, running_gateway

PEERS = Path(__file__).parents[1] / "gateway" / "peers"
_PATIENCE = 120.0


def from_environment(name: str) -> str | None:
    """Where a peer is; to be asked while tests are collected, as they run in a clean environment."""
    return os.environ.get(name)


def peer_is_missing(reason: str) -> None:
    """Skip, but in CI, where all peers are to be there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def met_by(*command: str) -> dict[str, Any]:
    """What a peer met at a gateway over each kind of provider. `routes`: those that it used there."""
    first, second = KINDS
    with running_gateway(first) as one, running_gateway(second) as other:
        done = subprocess.run(
            [*command, KEY, one.url, other.url], check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
        assert done.returncode == 0, done.stderr[-4000:]
        told: Sequence[Any] = json.loads(done.stdout.splitlines()[-1])
        return {
            gateway.kind: {**met, "routes": sorted(gateway.routes)}
            for gateway, met in zip((one, other), told, strict=True)
        }
