"""Undoing gzip and deflate as they arrive."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, strategies as st

from codex_client.client.content_encoding import MAX_PIECE_BYTES, ContentDecoder, EncodingError

pytestmark = pytest.mark.usefixtures("transport")


def raw_deflate(content: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


def several_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


WAYS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    ("identity", bytes),
    ("gzip", gzip.compress),
    ("X-Gzip ", gzip.compress),
    ("gzip", several_members),
    ("deflate", zlib.compress),
    ("Deflate", raw_deflate),
]


def decode(encoding: str, chunks: list[bytes]) -> list[bytes]:
    decoder, pieces = ContentDecoder(encoding), list[bytes]()
    for chunk in chunks:
        decoder.feed(chunk)
        while piece := decoder.take():
            pieces.append(piece)
    return pieces


@given(st.sampled_from(WAYS), st.binary(max_size=2000), st.integers(1, 50))
def test_any_cutting_of_any_encoding_gives_the_body(
    way: tuple[str, Callable[[bytes], bytes]], body: bytes, size: int
) -> None:
    encoding, encode = way
    sent = encode(body)
    assert b"".join(decode(encoding, [sent[at : at + size] for at in range(0, len(sent), size)])) == body


def test_what_is_flushed_is_given_at_once() -> None:
    deflate, decoder = zlib.compressobj(wbits=zlib.MAX_WBITS | 16), ContentDecoder("gzip")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        decoder.feed(deflate.compress(event) + deflate.flush(zlib.Z_SYNC_FLUSH))
        assert (decoder.take(), decoder.take()) == (event, b"")


def test_a_small_chunk_of_much_comes_in_bounded_pieces() -> None:
    pieces = decode("gzip", [gzip.compress(bytes(10_000_001))])
    assert sum(map(len, pieces)) == 10_000_001
    assert max(map(len, pieces)) == MAX_PIECE_BYTES


def test_an_empty_body_is_empty() -> None:
    assert decode("gzip", [b"", gzip.compress(b"")]) == []
    assert decode("deflate", [b""]) == []


@pytest.mark.parametrize("tail", [b"\0\0\0", b"trailing"])
def test_what_follows_the_last_member_is_ignored(tail: bytes) -> None:
    assert decode("gzip", [gzip.compress(b"body") + tail, b"more"]) == [b"body"]


@pytest.mark.parametrize(
    "body",
    [b"plain text", b"\x1f\x8b\x08broken", gzip.compress(b"body")[:-8] + bytes(8)],
    ids=["no gzip", "broken header", "wrong checksum"],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(EncodingError):
        decode("gzip", [body])


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "rot13"])
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(EncodingError, match="was not asked for"):
        ContentDecoder(encoding)


@given(st.binary(max_size=500), st.sampled_from([("gzip", gzip.compress), ("deflate", zlib.compress)]))
def test_it_agrees_with_httpx(body: bytes, way: tuple[str, Callable[[bytes], bytes]]) -> None:
    encoding, encode = way
    response = httpx.Response(200, headers={"content-encoding": encoding}, content=encode(body))
    assert b"".join(decode(encoding, [encode(body)])) == response.content
