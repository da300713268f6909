"""A typed, asynchronous SDK for the Responses and Chat Completions APIs: a `Prompt` in, `ResponseEvent`s out.

    async with connect("gpt-5") as client:
        async with client.stream(Prompt("Why is the sky blue?")) as stream:
            async for event in stream:
                print(event)

Names are loaded when they are first used, so that importing the package costs little.
"""

from importlib import import_module
from typing import Any

# Room to its public names. `__init__.pyi` says the same to type checkers.
_ROOMS = {
    "aggregate": "CollectedResponse ToolCall",
    "api": """
        ApiClient ApiRequest AttemptOutcome AuthProvider Clock Closeable DecoderFactory HttpClient Lease PayloadBuilder
        RateLimitProvider RawFrame RequestCustomizer ResponseDecoder Retry RunDecoder SseEvent SystemClock Telemetry
        TurnContext TurnEnded TurnObserver TurnRecord
    """,
    "auth.callback": "CallbackListener",
    "auth.codex_store": "CodexTokenStore",
    "auth.device_code": "DEVICE_WARNING DeviceCode",
    "auth.environment_store": "EnvironmentTokenStore",
    "auth.file_store": "FileTokenStore",
    "auth.importing": """
        ImportOutcome export_secrets_as_env export_secrets_as_json import_from_codex import_from_environment
        import_from_file import_into
    """,
    "auth.issuer": "OAuthIssuer",
    "auth.keyring_store": "KeyringTokenStore",
    "auth.login": "BrowserLogin DeviceLogin is_headless login_hints runs_in_container",
    "auth.login_handle": "LoginHandle",
    "auth.oauth": "OAuthClient RefreshReason",
    "auth.refresh": "RefreshingAuth",
    "auth.static": "EnvAuth NoAuth StaticAuth",
    "auth.store": "MemoryTokenStore TokenStore",
    "auth.tokens": "TokenSet",
    "backend_profile": "BackendProfile built_in_profiles",
    "client.config": """
        ChatConfig ClientConfig GuardPolicy ResponsesConfig RestartPolicy RetryPolicy StreamLimits Timeouts Transport
    """,
    "client.telemetry": "LoggingTelemetry SilentTelemetry",
    "clients.chat": "ChatCompletionsApiClient",
    "clients.generic": "GenericClient",
    "clients.offline": "stream_from_fixture",
    "clients.responses": "ResponsesApiClient",
    "condense": "AggregateMode",
    "connecting": "connect",
    "credentials.accounts": "local_issuer local_pool local_provider local_state local_store",
    "credentials.explain": "AccountBlock AccountStatus Explanation",
    "credentials.file_state": "FilePoolState",
    "credentials.limit_view": "LimitView",
    "credentials.pool": "PLAN_ORDER CredentialPool",
    "credentials.pool_record": "PoolRecord",
    "credentials.pool_state": "MemoryPoolState PoolState",
    "credentials.pool_usage": "UsageResult",
    "credentials.quota": "AccountQuota",
    "credentials.quota_state": "QuotaState",
    "credentials.redis_state": "RedisPoolState",
    "credentials.redis_store": "RedisTokenStore",
    "credentials.selection": "AccountCandidate AccountChoice AccountSelection LeaseRequest",
    "decode.usage": "UsageReport",
    "errors": """
        AuthError AuthenticationError AuthenticationFailed AuthenticationInStreamError CodexError
        ConfigurationError ConnectError ConnectTimeoutError ContextWindowExceeded ContextWindowExceededError
        ContextWindowExceededStatusError DnsError DroppedParameterWarning EmptyResponseError
        FirstEventTimeoutError FrameTooLargeError GarbledOutputError IdleTimeoutError IncompleteResponseError
        InvalidPayloadError InvalidPrompt InvalidPromptError InvalidPromptStatusError InvalidRequest
        InvalidRequestError InvalidRequestInStreamError LoginError LoginRequiredError MalformedFrameError
        MissingCredentialsError MissingExtraError ModelNotFound ModelNotFoundError ModelNotFoundInStreamError
        NetworkBlockedError NotFoundError PermissionDenied PermissionDeniedError PermissionDeniedInStreamError
        PolicyViolation PolicyViolationError PolicyViolationStatusError PoolExhaustedError PoolTimeoutError
        ProtocolError ProxyError QuotaExceeded QuotaExceededError QuotaExceededStatusError RateLimitError
        RateLimited RateLimitedInStreamError ReadError RedirectError ResponseFailedError RetryLimitError
        ServerError ServerOverloaded ServerOverloadedError ServerOverloadedInStreamError StreamClosedError
        StreamError TlsError TokenRefreshError TokenStoreError TransportError UnexpectedContentError
        UnexpectedStatusError UnsupportedOperationError UnsupportedParameterError UsageLimitReached
        UsageLimitReachedError UsageLimitReachedInStreamError UsageNotIncluded UsageNotIncludedError
        UsageNotIncludedInStreamError WriteError
    """,
    "events": """
        Completed Created ModelsEtag OutputItemAdded OutputItemDone OutputTextDelta RateLimits RawEvent
        ReasoningContentDelta ReasoningSummaryDelta ReasoningSummaryPartAdded RefusalDelta ResponseEvent
        ServerModel StreamRestarted ToolCallInputDelta
    """,
    "guard.capacity": "CAPACITY_TEXTS CapacityGuard",
    "guard.empty": "EmptyGuard",
    "guard.garbled": "GarbleGuard",
    "guard.markers": "MARKERS Marker active_markers",
    "items": """
        Compaction ContentPart CustomToolCall CustomToolCallOutput FunctionCall FunctionCallOutput InputFile
        InputImage InputText LocalShellCall Message OtherContent OtherItem OutputText Reasoning
        ReasoningText Refusal ResponseItem SummaryText ToolOutput WebSearchCall dump_item parse_item
    """,
    "model_provider": "ModelProviderInfo WireApi azure_provider built_in_providers",
    "model_variants": "Credits LimitSource RateLimitSnapshot RateLimitWindow TokenUsage",
    "models": """
        BUILT_IN_MODELS EFFORTS Effort MODEL_ALIASES ModelCatalogue ModelChoice ModelInfo Verbosity parse_model_name
        parse_models
    """,
    "payload.calls": "without_orphans",
    "payload.tools": "parse_tool",
    "prompt": "CustomTool FunctionTool Prompt RawTool ReasoningOptions Summary Tool ToolChoice",
    "routed_client": "RoutedApiClient",
    "stream": "EventSource ResponseStream",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = sorted(_ROOM_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Load a public name from its room on first use (PEP 562)."""
    room = "version" if name == "__version__" else _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
