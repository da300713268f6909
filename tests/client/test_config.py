"""Configuration is checked when it is made, and falls back from the client to the provider to codex's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from codex_client.client.config import (
    ChatConfig,
    ClientConfig,
    GuardPolicy,
    ResponsesConfig,
    RestartPolicy,
    RetryPolicy,
    StreamLimits,
    Timeouts,
)
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, WireApi

RESPONSES = ModelProviderInfo(name="r", base_url="http://localhost/v1")
CHAT = ModelProviderInfo(name="c", base_url="http://localhost/v1", wire_api=WireApi.CHAT)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: RetryPolicy(base_delay=-1), "RetryPolicy.base_delay is -1"),
        (lambda: RetryPolicy(request_max_retries=-1), "RetryPolicy.request_max_retries is -1"),
        (lambda: RetryPolicy(base_delay=math.nan), "RetryPolicy.base_delay is nan"),
        (lambda: RestartPolicy(after_output="rise"), "after_output is 'rise'; it is 'raise' or 'restart'"),  # pyright: ignore[reportArgumentType]
        (lambda: RetryPolicy(factor=0.5), "factor 0.5 must be >= 1"),
        (lambda: RetryPolicy(jitter=1.5), "jitter 1.5 within 0 to 1"),
        (lambda: Timeouts(connect=0), "Timeouts.connect is 0; it must be above 0"),
        (lambda: Timeouts(idle=-1), "Timeouts.idle is -1"),
        (lambda: Timeouts(first_event=math.nan), "Timeouts.first_event is nan"),
        (lambda: StreamLimits(max_frame_bytes=0), "StreamLimits.max_frame_bytes is 0"),
        (lambda: GuardPolicy(garbled_retries=-1), "GuardPolicy.garbled_retries is -1; it must not be negative"),
        (lambda: GuardPolicy(empty_retries=-1), "GuardPolicy.empty_retries is -1"),
        (lambda: GuardPolicy(hold="none"), "GuardPolicy.hold is 'none'; it is 'tail' or 'all'"),  # pyright: ignore[reportArgumentType]
        (lambda: GuardPolicy(markers="<tool>"), "markers is one text of 6 characters, .* give several texts"),  # pyright: ignore[reportArgumentType]
        (lambda: GuardPolicy(markers=("<tool>", "")), "GuardPolicy.markers holds an empty text"),
        (lambda: ResponsesConfig(provider=CHAT, model="m"), "ResponsesApiClient requires a Responses provider"),
        (lambda: ChatConfig(provider=RESPONSES, model="m"), "ChatCompletionsApiClient requires a Chat provider"),
    ],
)
def test_what_cannot_work_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    "name, kind",
    [
        ("provider", "ModelProviderInfo"),
        ("retry", "RetryPolicy"),
        ("restart", "RestartPolicy"),
        ("guards", "GuardPolicy"),
        ("timeouts", "Timeouts"),
        ("limits", "StreamLimits"),
        ("catalogue", "ModelCatalogue"),
    ],
)
@pytest.mark.parametrize("wrong, told", [(None, "NoneType"), ("restart", "str"), ({"idle": 9}, "dict"), (5, "int")])
def test_a_part_of_another_kind_is_refused_with_the_kind_that_it_has_to_be(
    name: str, kind: str, wrong: Any, told: str
) -> None:
    parts: dict[str, Any] = {"provider": RESPONSES, "model": "m", name: wrong}
    with pytest.raises(ConfigurationError, match=rf"^{name} is of type {told}; give it as {kind}\(…\)$"):
        ResponsesConfig(**parts)


def test_a_client_may_have_no_model() -> None:
    assert ResponsesConfig(provider=RESPONSES).model == ""


def test_no_limit_is_a_limit_of_infinity() -> None:
    assert Timeouts(idle=math.inf).idle == math.inf


def test_numbers_fall_back_from_the_client_to_the_provider_to_the_defaults() -> None:
    own = ModelProviderInfo(
        name="p", base_url="http://h/v1", request_max_retries=1, stream_max_retries=0, stream_idle_timeout=7
    )
    plain = ClientConfig(provider=RESPONSES, model="m")
    assert (plain.request_max_retries, plain.stream_max_retries, plain.idle_timeout) == (4, 5, 300.0)
    provided = ClientConfig(provider=own, model="m")
    assert (provided.request_max_retries, provided.stream_max_retries, provided.idle_timeout) == (1, 0, 7)
    explicit = ClientConfig(
        provider=own,
        model="m",
        retry=RetryPolicy(request_max_retries=2, stream_max_retries=3),
        timeouts=Timeouts(idle=9),
    )
    assert (explicit.request_max_retries, explicit.stream_max_retries, explicit.idle_timeout) == (2, 3, 9)


def test_a_config_shows_no_key() -> None:
    config = ClientConfig(provider=RESPONSES, model="m", auth="sk-canary", extra_headers={"x-api-key": "canary"})
    assert "canary" not in repr(config)
