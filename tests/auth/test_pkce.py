"""The proof key, against the example of RFC 7636, and its sizes."""

from __future__ import annotations

import re

from codex_client.auth.pkce import Pkce, new_state
from tests.support.kept_secrets import assert_kept

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def test_the_challenge_is_that_of_the_rfc() -> None:
    assert (
        Pkce("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_verifier_has_86_characters_of_64_random_bytes() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    pkce = Pkce.generate(random_bytes)
    assert asked == [64]
    assert len(pkce.verifier) == 86
    assert pkce.verifier.startswith("AAECAwQFBgcICQoLDA0ODxAREhM")
    assert len(pkce.challenge) == 43
    assert _BASE64URL.fullmatch(pkce.verifier + pkce.challenge)


def test_a_state_has_43_characters_of_32_random_bytes() -> None:
    assert new_state(bytes) == "A" * 43
    assert new_state(lambda count: b"\xff" * count) == "_" * 42 + "8"


def test_no_two_are_alike() -> None:
    assert len({Pkce.generate().verifier for _ in range(50)} | {new_state() for _ in range(50)}) == 100


def test_the_repr_shows_nothing() -> None:
    pkce = Pkce.generate()
    assert_kept([pkce.verifier], pkce)
