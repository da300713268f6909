"""Secrets do not get past the scrubber, whatever they wear; everything else does."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from codex_client.masking import KEY_PREFIXES, mask_secrets
from codex_client.testing import Scrubber, responses_turn, sse
from codex_client.testing.scrubber import SCRUBBED
from codex_client.testing.views import View

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"
CANARIES = {
    "openai key": "sk-proj-CANARYcanary0123456789abcdef",
    "old openai key": "sk-CANARYcanary0123456789",
    "groq key": "gsk_CANARYcanary0123456789",
    "hugging face key": "hf_CANARYcanary0123456789",
    "google key": "AIzaCANARYcanary0123456789abcdefghijk",
    "aws key": "AKIACANARY0123456789",
    "github token": "ghp_CANARYcanary0123456789",
    "access token": "at-CANARYcanary0123456789",
    "refresh token": "rt_CANARYcanary0123456789",
    "jwt": JWT,
    "jwt cut short": JWT.rpartition(".")[0],
    "organisation": "org-CANARY0123456789abcdefgh",
    "project": "proj_CANARY0123456789abcdefgh",
    "user": "user-CANARY0123456789abcdefgh",
    "address": "canary.person+tag@mail.example.org",
}


def escaped(text: str) -> str:
    """Every character as its JSON escape."""
    return "".join(f"\\u{ord(char):04x}" for char in text)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# How a secret may be dressed in a body.
DRESSES = {
    "plain": lambda secret: f"say {secret} twice",
    "json": lambda secret: json.dumps({"text": f"line\n{secret}\n"}),
    "json in json": lambda secret: json.dumps({"arguments": json.dumps({"text": f'"\n{secret}"'})}),
    "json escapes": lambda secret: f'{{"text": "{escaped(secret)}"}}',
    "escapes twice": lambda secret: json.dumps({"arguments": f'{{"text": "{escaped(secret)}"}}'}),
    "url": lambda secret: f"a=1&b={quote('x ' + secret, safe='')}",
    "url of every character": lambda secret: "a=" + "".join(f"%{byte:02X}" for byte in secret.encode()),
    "base64": lambda secret: json.dumps({"blob": b64(f"user:{secret}")}),
    "base64 without padding": lambda secret: b64(f"{secret}:x").rstrip("="),
    "url-safe base64": lambda secret: base64.urlsafe_b64encode(f"??>>~~{secret}".encode()).decode(),
    "base64 behind one letter": lambda secret: "A" + b64(f"user:{secret}"),
    "base64 behind two letters": lambda secret: "AB" + b64(f"user:{secret}"),
    "base64 behind three letters": lambda secret: "ABC" + b64(f"user:{secret}"),
    "base64 of text": lambda secret: b64(f"Zürich\n\t{secret} é"),
    "base64 of base64": lambda secret: b64(b64(f"user:{secret}")),
    "base64 of json": lambda secret: b64(json.dumps({"text": secret})),
    "base64 in a url": lambda secret: "q=" + quote(b64(f"user:{secret}"), safe=""),
    "base64 in json in json": lambda secret: json.dumps({"a": json.dumps({"blob": b64(f"user:{secret}")})}),
}


def undressed(text: str) -> str:
    """All that can be read out of a text by undoing escapes and base64, over and over."""
    seen, todo = set[str](), [text]
    while todo:
        layer = todo.pop()
        if layer in seen or len(seen) > 2000:
            continue
        seen.add(layer)
        todo.append(re.sub(r"%([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), layer))
        todo.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), layer.replace('\\"', '"')))
        todo.append(layer.replace("\\\\", "\\"))
        for run in re.findall(r"[A-Za-z0-9+/_-]{12,}", layer):
            for skip in range(4):
                digits = run[skip:].replace("-", "+").replace("_", "/")
                digits = digits[: len(digits) - (len(digits) % 4 == 1)]
                todo.append(base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("latin-1"))
    return "\n".join(seen)


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("canary", CANARIES)
def test_a_secret_is_found_by_its_form_in_every_dress(canary: str, dress: str):
    text = DRESSES[dress](CANARIES[canary])
    assert "canary" in undressed(text).lower()
    scrubbed = Scrubber().scrub_text(text)
    assert "canary" not in undressed(scrubbed).lower()
    assert len(scrubbed) == len(text)


# One key for each way in which keys begin.
KEYS = [
    *(f"{issuer}{dash}CANARYcanary0123" for issuer in ("sk", "rk", "pk", "ek", "sess", "xai", "pplx") for dash in "-_"),
    *(f"{issuer}{dash}CANARYcanary0123" for issuer in ("csk", "nvapi", "glpat") for dash in "-_"),
    *(f"{issuer}_CANARYcanary0123" for issuer in ("gsk", "hf", "fw", "r8", "rt", "github_pat", "tgp_v1")),
    *(f"gh{kind}_CANARYcanary0123" for kind in "oprsu"),
    *(f"sk_{mode}_CANARYcanary0123" for mode in ("live", "test")),
    *("AIzaCANARYcanary0123", "ya29.CANARYcanary0123", "AKIACANARYCANARY0123", "ASIACANARYCANARY0123"),
    "at-CANARYcanary0123",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_any_issuer_is_blanked_in_messages_and_in_recordings(key: str):
    assert "canary" not in mask_secrets(f"bad key {key} given").lower()
    assert Scrubber().scrub_text(f"bad key {key} given") == f"bad key {'*' * len(key)} given"


@pytest.mark.parametrize("prefix", KEY_PREFIXES)
def test_every_beginning_of_a_key_has_an_example(prefix: str):
    assert any(re.match(prefix, key) for key in KEYS)


def test_a_name_that_begins_as_a_key_does_stays_in_a_recording():
    assert Scrubber().scrub_text('{"name":"rt_search"}, sk-short, at-least-once-delivery-only') == (
        '{"name":"rt_search"}, sk-short, at-least-once-delivery-only'
    )


@pytest.mark.parametrize("dress", DRESSES)
def test_a_secret_without_a_form_is_found_once_a_header_has_shown_it(dress: str):
    scrubber = Scrubber()
    text = DRESSES[dress]("canaryWithNoForm")
    assert scrubber.scrub_text(text) == text
    known = scrubber.secrets_of([("Authorization", "Bearer canaryWithNoForm")])
    assert "canary" not in undressed(scrubber.scrub_text(text, known)).lower()


def test_a_known_secret_is_found_in_base64_of_bytes_that_are_no_text():
    blob = base64.b64encode(b"\x00\x01\xfe" + b"canaryWithNoForm" + b"\xff\x00").decode()
    known = Scrubber().secrets_of([("x-api-key", "canaryWithNoForm")])
    assert Scrubber().scrub_text(f"[{blob}]", known) == f"[{'*' * len(blob)}]"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "api-key",
        "X-Api-Key",
        "x-goog-api-key",
        "Ocp-Apim-Subscription-Key",
        "Cookie",
        "Set-Cookie",
        "ChatGPT-Account-Id",
        "OpenAI-Organization",
        "openai-project",
        "x-codex-turn-state",
        "x-codex-installation-id",
        "x-amz-security-token",
        "x-client-secret",
        "x-mine",
    ],
)
def test_a_secret_header_loses_its_value(name: str):
    scrubber = Scrubber(extra_headers=["X-Mine"])
    assert scrubber.is_secret_header(name)
    assert scrubber.scrub_headers([(name, "canary")]) == [(name, SCRUBBED)]


@pytest.mark.parametrize(
    "name, value",
    [
        ("x-ratelimit-limit-tokens", "30000"),
        ("x-ratelimit-remaining-tokens", "29999"),
        ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
        ("openai-processing-ms", "174"),
        ("openai-model", "gpt-5-2025-08-07"),
        ("retry-after", "3"),
        ("content-type", "text/event-stream; charset=utf-8"),
        ("x-codex-primary-used-percent", "42.5"),
        ("x-mine", "value"),
    ],
)
def test_other_headers_stay(name: str, value: str):
    assert Scrubber().scrub_headers([(name, value)]) == [(name, value)]


def test_a_secret_in_the_value_of_another_header_is_blanked():
    headers = [("x-note", f"for {CANARIES['address']}"), ("x-echo", "t0ken-of-no-form")]
    assert Scrubber().scrub_headers(headers, ["t0ken-of-no-form"]) == [
        ("x-note", "for " + "*" * len(CANARIES["address"])),
        ("x-echo", "*" * 16),
    ]


@pytest.mark.parametrize(
    "name, value, secrets",
    [
        ("authorization", "Bearer tok-123456", {"Bearer tok-123456", "tok-123456"}),
        (
            "authorization",
            "Basic " + b64("someone:pa:ssword"),
            {"Basic " + b64("someone:pa:ssword"), b64("someone:pa:ssword"), "someone", "pa:ssword"},
        ),
        ("proxy-authorization", "Basic !!!!not-base64", {"Basic !!!!not-base64", "!!!!not-base64"}),
        ("authorization", "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), None),
        ("x-api-key", "k-123456", {"k-123456"}),
        (
            "cookie",
            "a=first-value; b=second-value; c=x",
            {"a=first-value; b=second-value; c=x", "first-value", "second-value"},
        ),
        (
            "set-cookie",
            "session=cookie-value; Domain=api.example.org; Path=/",
            {"session=cookie-value; Domain=api.example.org; Path=/", "cookie-value"},
        ),
        ("x-request-id", "req_123456", set()),
        ("authorization", "x", set()),
    ],
)
def test_what_a_header_shows_to_be_secret(name: str, value: str, secrets: set[str] | None):
    found = Scrubber().secrets_of([(name, value)])
    assert found == ({value, value.partition(" ")[2]} if secrets is None else secrets)


@pytest.mark.parametrize(
    "text, scrubbed",
    [
        ('{"refresh_token": "abc", "b": "c"}', '{"refresh_token": "***", "b": "c"}'),
        ('{"password":"a\\"b"}', '{"password":"****"}'),
        ('{"Email":"nobody"}', '{"Email":"******"}'),
        ('{"account_id":"1b9d6bcd-bbfd-4b2d","n":1}', '{"account_id":"******************","n":1}'),
        ("grant_type=x&refresh_token=abc&client_id=1", "grant_type=x&refresh_token=***&client_id=1"),
        ("refresh_token=abc", "refresh_token=***"),
        ("https://h/p?api-version=1&key=abc&code=def", "https://h/p?api-version=1&key=***&code=***"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: ********************"),
        ('{"arguments":"{\\"api_key\\":\\"abc\\"}"}', '{"arguments":"{\\"api_key\\":\\"***\\"}"}'),
    ],
)
def test_a_field_that_holds_secrets_is_blanked_whatever_is_in_it(text: str, scrubbed: str):
    assert Scrubber().scrub_text(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "the process ended with exit code=1 and key=value",
        "a task-management-system for user-configuration and org-administrators",
        "ask-me-anything-you-want-to-know, sk-short",
        "an e-mail has an @ sign, as in a@b",
        "price 50% off, 100%",
        "C:\\new\\table \\u00zz",
        '{"usage": {"input_tokens": 5, "total_tokens": 8}, "prompt_cache_key": "conversation-7"}',
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        base64.b64encode(bytes(range(256)) * 8).decode(),
        "Bearer auth",
    ],
)
def test_ordinary_text_stays(text: str):
    assert Scrubber().scrub_text(text) == text


def test_a_stream_of_a_model_stays_as_it_is():
    body = sse(
        responses_turn("It is sunny.", reasoning_summary="Look outside.", response_id="resp_68950843eaec819e939dace")
    )
    assert Scrubber().scrub_bytes(body) == body


def test_extra_patterns_are_blanked_too():
    scrubber = Scrubber(extra_patterns=[r"project \w+", re.compile(r"code name (?P<value>\w+)")])
    assert scrubber.scrub_text("project apollo, code name eagle") == "**************, code name *****"


def test_secrets_that_overlap_are_blanked_together():
    assert Scrubber().scrub_text("abcdefgh", ["abcdef", "cdefgh", "cd"]) == "********"


def test_bytes_of_any_kind_keep_their_places():
    content = b"\xff\xfe\x00" + CANARIES["openai key"].encode() + " grün 🌳".encode()
    assert Scrubber().scrub_bytes(content) == b"\xff\xfe\x00" + b"*" * 36 + " grün 🌳".encode()


@pytest.mark.parametrize(
    "run",
    ["a" * 200_000, "a." * 100_000, "eyJ" + "a" * 200_000, "%41" * 60_000, "\\u0041" * 30_000, "@" * 200_000],
    ids=["letters", "dots", "half_a_jwt", "url_escapes", "json_escapes", "signs"],
)
def test_a_long_run_that_is_no_secret_stays(run: str):
    # Backtracking over this much would not end while anybody waits.
    assert Scrubber().scrub_text(run) == run


@given(
    st.lists(
        st.one_of(st.sampled_from([r"\n", r"\"", r"\\", r"\u0041", "%41", "%zz", "+", "x", "é"]), st.text(max_size=3))
    )
)
def test_every_part_of_a_view_leads_back_to_what_it_was_made_of(parts: list[str]):
    text = "".join(parts)
    view = View(text, re.compile(r"\\u[0-9a-f]{4}|%41"), lambda escape: "A")
    for start in range(len(view.text)):
        begin, end = view.origin((start, start + 1))
        assert text[begin:end] in (view.text[start], r"\u0041", "%41")
    assert view.origin((0, len(view.text))) == (0, len(text))


@given(st.text(), st.sampled_from(sorted(CANARIES.values())), st.text())
def test_scrubbing_keeps_the_length_and_is_done_at_once(before: str, secret: str, after: str):
    text = f"{before} {secret} {after}"
    scrubbed = Scrubber().scrub_text(text)
    assert len(scrubbed) == len(text)
    assert secret not in scrubbed
    assert Scrubber().scrub_text(scrubbed) == scrubbed


def test_the_dresses_are_what_they_seem():
    dressed: dict[str, Any] = {name: dress("canary-canary-canary") for name, dress in DRESSES.items()}
    plain = {name for name, text in dressed.items() if "canary" in text}
    assert plain == {"plain", "json", "json in json", "url"}
