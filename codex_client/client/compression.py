"""Request bodies in zstd, as codex sends them to the ChatGPT backend."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from codex_client.errors import MissingExtraError
from codex_client.model_provider import ModelProviderInfo

ENCODING = "zstd"

# Python's own from 3.14 on, else its backport.
_MODULE = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
# zstd's default: higher levels cost more than the network saves on bodies of this sort.
_LEVEL = 3
# Below a packet's length nothing is saved.
_MIN_BYTES = 1024


def compresses(provider: ModelProviderInfo) -> bool:
    """Whether request bodies go out compressed.

    Only where the extra is installed, to hosts that are known to take it: a profile that was given may be that of a
    proxy's backend. `domains` of a profile adds hosts.
    """
    backend = provider.backend
    return backend.takes_zstd and backend.is_host(provider.host) and _is_installed()


def is_worth_it(body: bytes) -> bool:
    """Whether the body is long enough."""
    return len(body) >= _MIN_BYTES


def compressed(body: bytes) -> bytes:
    """The body in zstd, with its length in the frame's header."""
    return _zstd().compress(body, level=_LEVEL)


def decompressed(body: bytes) -> bytes:
    """The way back. Raises `ValueError` for what is no zstd, `MissingExtraError` where the extra is not installed."""
    zstd = _zstd()
    try:
        return zstd.decompress(body)
    except zstd.ZstdError as error:
        raise ValueError(f"the body is no zstd: {error}") from error


def _is_installed() -> bool:
    try:
        return find_spec(_MODULE) is not None
    except ModuleNotFoundError:
        return False


def _zstd() -> Any:
    if not _is_installed():
        raise MissingExtraError(
            f"zstd bodies need the package {_MODULE!r}; pip install 'codex-client[zstd]'", extra="zstd"
        )
    return import_module(_MODULE)
