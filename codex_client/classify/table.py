"""The table: from code, then type, then text, then status, to what a failure means.

Codes as measured on the Responses API and the ChatGPT backend, and as seen in the error bodies of compatible servers.
A retry repeats the request to the byte. So what names a fault in the request is final, also where a client that changes
its request could go on (`previous_response_not_found`, `invalid_image`); what nobody knows may be tried again.
"""

from __future__ import annotations

import re

from codex_client.classify.failure import ServerFailure
from codex_client.classify.meaning import (
    AGAIN,
    BAD_REQUEST,
    CONTEXT,
    COUNTRY,
    CREDENTIAL,
    FORBIDDEN,
    MODEL,
    NO_CAPACITY,
    NOT_FOUND,
    NOT_INCLUDED,
    OTHER,
    OVERLOADED,
    POLICY,
    PROMPT,
    QUOTA,
    RATE_LIMIT,
    REQUEST_TOO_LARGE,
    SERVER,
    UNSUPPORTED,
    USAGE_LIMIT,
    Meaning,
)
from codex_client.classify.texts import meaning_of_text

# The type decides before any code: usage limits carry no code, or that of a rate limit.
_DECISIVE_TYPES = {"usage_limit_reached": USAGE_LIMIT, "usage_not_included": NOT_INCLUDED}

# Codes and types alike, in lower case with underscores.
_BY_NAME = {
    "context_length_exceeded": CONTEXT,
    "context_window_exceeded": CONTEXT,
    "exceed_context_size_error": CONTEXT,  # llama.cpp
    "max_response_tokens": CONTEXT,  # field-shaped frames of early 2025
    "too_many_prompt_tokens": CONTEXT,  # Perplexity
    "too_many_tokens": CONTEXT,  # Cohere
    "billing_error": QUOTA,
    "billing_hard_limit_reached": QUOTA,
    "billing_not_active": QUOTA,
    "credit_balance_exhausted": QUOTA,
    "insufficient_balance": QUOTA,
    "insufficient_credits": QUOTA,
    "insufficient_quota": QUOTA,
    "organization_spend_limit_exceeded": QUOTA,
    "organization_usage_limit_exceeded": QUOTA,
    "payment_required": QUOTA,
    "project_spend_limit_exceeded": QUOTA,
    "quota_exceeded": QUOTA,
    "usage_limit_reached": USAGE_LIMIT,
    "usage_not_included": NOT_INCLUDED,
    "rate_limit_error": RATE_LIMIT,
    "rate_limit_exceeded": RATE_LIMIT,
    "rate_limited": RATE_LIMIT,
    "ratelimitreached": RATE_LIMIT,
    "slow_down": RATE_LIMIT,
    "too_many_requests": RATE_LIMIT,
    "engine_overloaded": OVERLOADED,
    "insufficient_system_resource": OVERLOADED,  # DeepSeek
    "overloaded": OVERLOADED,
    "overloaded_error": OVERLOADED,
    "server_is_overloaded": OVERLOADED,
    "service_unavailable": OVERLOADED,
    "unavailable": OVERLOADED,  # Google
    "flex_unavailable": NO_CAPACITY,
    "policy_capacity_unavailable": NO_CAPACITY,
    "deploymentnotfound": MODEL,  # Azure
    "invalid_model": MODEL,  # Mistral
    "model_not_available": MODEL,
    "model_not_found": MODEL,
    "model_not_supported": MODEL,  # Copilot
    "invalid_prompt": PROMPT,
    "access_program_not_enabled": POLICY,
    "bio_policy": POLICY,
    "content_filter": POLICY,  # Azure
    "content_policy_violation": POLICY,
    "cyber_policy": POLICY,
    "data_inspection_failed": POLICY,  # DashScope
    "inference_hook_denied": POLICY,
    "misalignment_policy_violation": POLICY,
    "authentication_error": CREDENTIAL,
    "invalid_api_key": CREDENTIAL,
    "invalid_authentication": CREDENTIAL,
    "token_expired": CREDENTIAL,
    "token_invalidated": CREDENTIAL,
    "token_revoked": CREDENTIAL,
    "account_deactivated": FORBIDDEN,
    "deactivated_workspace": FORBIDDEN,  # with status 402
    "permission_error": FORBIDDEN,
    "unsupported_country_region_territory": COUNTRY,
    "invalid_audio_input": BAD_REQUEST,
    "invalid_encrypted_content": BAD_REQUEST,
    "invalid_image": BAD_REQUEST,
    "previous_response_not_found": BAD_REQUEST,
    "unsupported_parameter": BAD_REQUEST,
    "unsupported_value": BAD_REQUEST,
    "not_supported_error": UNSUPPORTED,  # llama.cpp, with status 501
    # The server ends a long connection of its own accord, under the type "invalid_request_error".
    "websocket_connection_limit_reached": AGAIN,
}

# Too vague to speak before text and status: OpenAI types nearly everything so, DeepSeek codes a wrong key so.
_VAGUE = {"invalid_request_error": BAD_REQUEST, "invalid_argument": BAD_REQUEST}

_BY_STATUS = {
    400: BAD_REQUEST,
    401: CREDENTIAL,
    402: QUOTA,
    403: FORBIDDEN,
    404: NOT_FOUND,
    408: AGAIN,
    409: AGAIN,
    413: BAD_REQUEST,
    422: BAD_REQUEST,
    425: AGAIN,
    429: RATE_LIMIT,
    503: OVERLOADED,
    529: OVERLOADED,
}

# The one text that overrules a code, `rate_limit_exceeded` (OpenAI with 429, Groq with 413): waiting cannot help.
_REQUEST_TOO_LARGE = re.compile(r"request too large\b.{0,200}\b(?:tokens|requests) per (?:min|day)", re.IGNORECASE)


def meaning_of(failure: ServerFailure, status: int | None) -> Meaning:
    """The row for this failure. `status`: the HTTP status; inside a stream the one that the failure tells, if any."""
    code, error_type, message = _name(failure.code), _name(failure.error_type), failure.message or ""
    if _REQUEST_TOO_LARGE.search(message):
        return REQUEST_TOO_LARGE
    return (
        _DECISIVE_TYPES.get(error_type)
        or _BY_NAME.get(code)
        or _BY_NAME.get(error_type)
        or meaning_of_text(message, status)
        or _by_status(status)
        or _VAGUE.get(code)
        or _VAGUE.get(error_type)
        or AGAIN
    )


def _name(text: str | None) -> str:
    return (text or "").lower().replace("-", "_")


def _by_status(status: int | None) -> Meaning | None:
    if status is None:
        return None
    return _BY_STATUS.get(status) or (SERVER if 500 <= status < 600 else OTHER)
