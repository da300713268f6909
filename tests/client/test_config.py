"""Configuration is checked when it is made, and falls back from the client to the provider to codex's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from codex_client.client.config import (
    ChatConfig,
    ClientConfig,
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
        (lambda: ClientConfig(provider=RESPONSES, model=""), "no model given"),
        (lambda: ResponsesConfig(provider=CHAT, model="m"), "ResponsesApiClient requires a Responses provider"),
        (lambda: ChatConfig(provider=RESPONSES, model="m"), "ChatCompletionsApiClient requires a Chat provider"),
    ],
)
def test_what_cannot_work_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


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
