"""Nothing that looks like a credential leaves."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from codex_client.masking import excerpt, is_private, mask_secrets, safe_url

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-canary_Xyz"
KEYS = (
    "sk-proj-canary1234567890",
    "sk-inval**************-key",
    "sess-canary1234567890",
    "xai-canary1234567890",
    "gsk_canary1234567890",
    "hf_canary1234567890",
    "AIzaCanary1234567890",
    "nvapi-canary1234567890",
    "github_pat_canary1234567890",
    "at-canaryCANARY1234567890",
    JWT,
    JWT.partition(".")[0],
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "Incorrect API key provided: {}. See …", '{{"key":"{}"}}', "x {}\n", "({})"])
def test_a_key_is_blanked_wherever_it_stands(key: str, around: str) -> None:
    masked = mask_secrets(around.format(key))
    assert "***" in masked
    assert "anary" not in masked
    assert "-key" not in masked
    assert key.removeprefix("eyJ") not in masked


@pytest.mark.parametrize(
    "text, masked",
    [
        ("authorization: Bearer canary.token", "authorization: Bearer ***"),
        ("Authorization: bearer   canarytoken, next", "Authorization: bearer   ***, next"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ***"),
        ("authorization: basic 1XNlcjpwYXNz=", "authorization: basic ***"),
        ("Authorization: AgentAssertion abc.def.ghi", "Authorization: AgentAssertion ***"),
        ("x-api-key: canary", "x-api-key: ***"),
        ("OPENAI_API_KEY=canary&x=1", "OPENAI_API_KEY=***&x=1"),
        ('{"api_key": "canary", "n": 1}', '{"api_key": "***", "n": 1}'),
        (r'{"body": "{\"refresh_token\":\"canary\"}"}', r'{"body": "{\"refresh_token\":\"***\"}"}'),
        ("https://h/p?api-key=canary#f", "https://h/p?api-key=***"),
        (
            "Incorrect API key provided: bad-key-***test. See https://x",
            "Incorrect API key provided: ***. See https://x",
        ),
        ("Your api key: ****-key is invalid", "Your api key: *** is invalid"),
        ("client_secret='canary' password=canary!", "client_secret='***' password=***"),
    ],
)
def test_a_value_behind_a_telling_name_is_blanked(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "using Bearer auth (i.e. a header)",
        "the Bearer token is missing",
        'Bearer realm="OpenAI API"',
        "Basic understanding of at-least-once delivery",
        "install sk-learn; this is risk-free-and-more",
        "You can find your API key at https://platform.openai.com/account/api-keys.",
        "Invalid API key provided. Ensure your API key is correct and active.",
        "request id req_0123456789abcdef0123456789abcdef",
        "This model's maximum context length is 8192 tokens.",
    ],
)
def test_prose_is_left_alone(text: str) -> None:
    assert mask_secrets(text) == text


@given(st.lists(st.sampled_from([*KEYS, "Bearer ", "api_key=", " ", '"', "***", ".", "at-", "eyJ", "x", "ü\n"])))
def test_masking_twice_changes_nothing(parts: list[str]) -> None:
    once = mask_secrets("".join(parts))
    assert mask_secrets(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "sk-",
        "eyJ",
        "eyJabcdefgh.",
        "at-",
        "bearer ",
        "basic ",
        "api_key",
        "api_key=",
        "=",
        "a",
        " ",
        "at-a",
        "password:  ",
    ],
)
def test_the_longest_body_is_masked_in_linear_time(piece: str) -> None:
    # Backtracking over this much would not end while anybody waits.
    assert mask_secrets(mask_secrets(piece * 50_000)) == mask_secrets(piece * 50_000)


def test_an_excerpt_is_one_masked_line_of_limited_length() -> None:
    assert excerpt("  a\n\tb\x1b[31m\u2028c  ") == "a b [31m c"
    assert excerpt("x" * 300) == "x" * 300
    assert excerpt("x" * 301) == "x" * 299 + "…"
    assert excerpt("key sk-canary1234567890 here", 11) == "key sk-***…"


@given(st.text(max_size=400), st.integers(1, 50))
def test_an_excerpt_never_shows_a_key_that_the_cut_would_halve(filler: str, limit: int) -> None:
    shown = excerpt(f"{filler} sk-canary1234567890 {filler}", limit)
    assert "canary" not in shown
    assert len(shown) <= limit


@pytest.mark.parametrize(
    "url, safe",
    [
        (
            "https://user:canary@api.example:8443/v1/responses?key=canary#canary",
            "https://api.example:8443/v1/responses",
        ),
        ("http://localhost/v1/sk-canary1234567890/x", "http://localhost/v1/sk-***"),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_user_query_and_fragment(url: str, safe: str) -> None:
    assert safe_url(url) == safe


@pytest.mark.parametrize(
    "url, private",
    [
        ("https://api.example.test/v1", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://api.example.test", False),
        ("http://localhost.example.test", False),
        ("ftp://localhost", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_https_and_this_machine_are_private(url: str, private: bool) -> None:
    assert is_private(url) is private
