"""Undoing a body's content-encoding as it arrives, in pieces of bounded size.

Our own and not the HTTP library's: that one turns a small chunk into any amount of memory, and where the encoding is
broken it leaves generators hanging.
"""

from __future__ import annotations

import zlib

ACCEPTED = "gzip, deflate"
"""What a request says it can read."""

MAX_PIECE_BYTES = 256 * 1024
_GZIP_HEADER = zlib.MAX_WBITS | 16
_NO_HEADER = -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f"


class EncodingError(ValueError):
    """The body is not in the encoding that it claims, or in one that was not asked for."""


class ContentDecoder:
    """Give it bytes with `feed`; `take` what they decode to, piece by piece, until there is none; feed again.

    `encoding` as in the header: gzip, of several members also; deflate, with and without its zlib header, since servers
    differ; identity or nothing. A body that ends too early is not told from one that is whole. All raise
    `EncodingError`.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower().removeprefix("x-")
        if name not in ("", "identity", "gzip", "deflate"):
            raise EncodingError(f"{encoding!r} was not asked for")
        self._plain = name in ("", "identity")
        # With deflate the first two bytes tell.
        self._inflate = zlib.decompressobj(_GZIP_HEADER) if name == "gzip" else None
        self._rest = b""

    def feed(self, content: bytes) -> None:
        self._rest += content

    def take(self) -> bytes:
        """The next piece, at most 256 KiB where it was compressed; empty where more has to be fed."""
        if self._plain:
            piece, self._rest = self._rest, b""
            return piece
        while self._is_ready():
            piece = self._decompress()
            if piece:
                return piece
            if not self._rest:
                break
        return b""

    def _is_ready(self) -> bool:
        """Whether there is a decompressor that can say something; a new one for each member of a gzip body."""
        if self._inflate is None:
            if len(self._rest) < 2:
                return False
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(self._rest) else _NO_HEADER)
        if self._inflate.eof:
            if not self._rest.startswith(_GZIP_MAGIC):
                self._rest = b""
                return False
            self._inflate = zlib.decompressobj(_GZIP_HEADER)
        return True

    def _decompress(self) -> bytes:
        inflate = self._inflate
        assert inflate is not None
        try:
            piece = inflate.decompress(self._rest, MAX_PIECE_BYTES)
        except zlib.error as error:
            raise EncodingError(str(error)) from None
        self._rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return piece


def _has_zlib_header(content: bytes) -> bool:
    """RFC 1950, 2.2: the method is 8, and both bytes as one number are a multiple of 31."""
    return content[0] & 0x0F == 8 and (content[0] << 8 | content[1]) % 31 == 0
