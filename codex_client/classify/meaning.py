"""The rows of the table: everything that a failure can mean, with the class for it and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from codex_client.errors import (
    AuthenticationError,
    AuthenticationInStreamError,
    ContextWindowExceededError,
    ContextWindowExceededStatusError,
    InvalidPromptError,
    InvalidPromptStatusError,
    InvalidRequestError,
    InvalidRequestInStreamError,
    ModelNotFoundError,
    ModelNotFoundInStreamError,
    NetworkBlockedError,
    NotFoundError,
    PermissionDeniedError,
    PermissionDeniedInStreamError,
    PolicyViolationError,
    PolicyViolationStatusError,
    QuotaExceededError,
    QuotaExceededStatusError,
    RateLimitedInStreamError,
    RateLimitError,
    ResponseFailedError,
    ServerError,
    ServerOverloadedError,
    ServerOverloadedInStreamError,
    UnexpectedStatusError,
    UsageLimitReachedError,
    UsageLimitReachedInStreamError,
    UsageNotIncludedError,
    UsageNotIncludedInStreamError,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row. `headline` begins the text of an in-stream error, `advice` ends the text of every error."""

    status_class: type[UnexpectedStatusError]
    in_stream_class: type[ResponseFailedError]
    retryable: bool
    rotate_account: bool
    headline: str
    advice: str


# fmt: off
# HTTP status                          inside a stream                  retry  rotate headline
CONTEXT = Meaning(
    ContextWindowExceededStatusError,  ContextWindowExceededError,      False, False, "context window exceeded",
    "shorten the input: drop or summarise old turns, or use a model with a larger window")
QUOTA = Meaning(
    QuotaExceededStatusError,          QuotaExceededError,              False, True,  "quota exceeded",
    "check the plan and billing of this account, or use another one")
USAGE_LIMIT = Meaning(
    UsageLimitReachedError,            UsageLimitReachedInStreamError,  False, True,  "usage limit reached",
    "wait until the limit resets, or use another account")
NOT_INCLUDED = Meaning(
    UsageNotIncludedError,             UsageNotIncludedInStreamError,   False, True,  "usage not included",
    "the account's plan does not include this service: upgrade it, or use another account")
RATE_LIMIT = Meaning(
    RateLimitError,                    RateLimitedInStreamError,        True,  True,  "rate limit exceeded",
    "wait and try again, or send fewer requests at once")
REQUEST_TOO_LARGE = Meaning(
    RateLimitError,                    RateLimitedInStreamError,        False, True,  "rate limit exceeded",
    "this one request is above the limit of a whole window: shorten it, or have the limit raised")
OVERLOADED = Meaning(
    ServerOverloadedError,             ServerOverloadedInStreamError,   True,  False, "server overloaded",
    "try again later, or use another model")
NO_CAPACITY = Meaning(
    ServerOverloadedError,             ServerOverloadedInStreamError,   False, False, "no capacity",
    "try again later, or with another service tier or model")
MODEL = Meaning(
    ModelNotFoundError,                ModelNotFoundInStreamError,      False, False, "model not found",
    "check the model's name, and whether this account may use it")
PROMPT = Meaning(
    InvalidPromptStatusError,          InvalidPromptError,              False, False, "invalid prompt",
    "change the prompt; control tokens in its history are refused, too")
POLICY = Meaning(
    PolicyViolationStatusError,        PolicyViolationError,            False, False, "stopped by a policy",
    "change the prompt, or ask the provider for access")
CREDENTIAL = Meaning(
    AuthenticationError,               AuthenticationInStreamError,     False, True,  "not authenticated",
    "check the API key, or log in again")
FORBIDDEN = Meaning(
    PermissionDeniedError,             PermissionDeniedInStreamError,   False, True,  "permission denied",
    "check what this key, organization and workspace may do")
COUNTRY = Meaning(
    PermissionDeniedError,             PermissionDeniedInStreamError,   False, False, "permission denied",
    "the provider does not serve the country that this request comes from")
BLOCKED = Meaning(
    NetworkBlockedError,               ResponseFailedError,             True,  False, "network blocked",
    "this is the network in front of the API speaking, not the API: check VPN, proxy and region")
NOT_FOUND = Meaning(
    NotFoundError,                     InvalidRequestInStreamError,     False, False, "not found",
    "check the provider's base_url and wire_api, and any id in the request")
BAD_REQUEST = Meaning(
    InvalidRequestError,               InvalidRequestInStreamError,     False, False, "invalid request",
    "change the request: the same one would be refused again")
UNSUPPORTED = Meaning(
    ServerError,                       InvalidRequestInStreamError,     False, False, "not supported",
    "this server lacks what the request needs")
SERVER = Meaning(
    ServerError,                       ResponseFailedError,             True,  False, "response failed",
    "try again; if it goes on, check the provider's status")
AGAIN = Meaning(
    UnexpectedStatusError,             ResponseFailedError,             True,  False, "response failed",
    "try again")
OTHER = Meaning(
    UnexpectedStatusError,             InvalidRequestInStreamError,     False, False, "invalid request",
    "check the provider's base_url and wire_api")
