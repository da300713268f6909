"""The public names, for type checkers; `__init__.py` loads them when they are first used."""

from codex_client.aggregate import (
    CollectedResponse as CollectedResponse,
    ToolCall as ToolCall,
)
from codex_client.api import (
    ApiClient as ApiClient,
    ApiRequest as ApiRequest,
    AttemptOutcome as AttemptOutcome,
    AuthProvider as AuthProvider,
    Clock as Clock,
    Closeable as Closeable,
    DecoderFactory as DecoderFactory,
    HttpClient as HttpClient,
    Lease as Lease,
    PayloadBuilder as PayloadBuilder,
    RateLimitProvider as RateLimitProvider,
    RawFrame as RawFrame,
    RequestCustomizer as RequestCustomizer,
    ResponseDecoder as ResponseDecoder,
    Retry as Retry,
    RunDecoder as RunDecoder,
    SseEvent as SseEvent,
    SystemClock as SystemClock,
    Telemetry as Telemetry,
    TurnContext as TurnContext,
    TurnEnded as TurnEnded,
    TurnObserver as TurnObserver,
    TurnRecord as TurnRecord,
)
from codex_client.auth.callback import (
    CallbackListener as CallbackListener,
)
from codex_client.auth.codex_store import (
    CodexTokenStore as CodexTokenStore,
)
from codex_client.auth.device_code import (
    DEVICE_WARNING as DEVICE_WARNING,
    DeviceCode as DeviceCode,
)
from codex_client.auth.environment_store import (
    EnvironmentTokenStore as EnvironmentTokenStore,
)
from codex_client.auth.file_store import (
    FileTokenStore as FileTokenStore,
)
from codex_client.auth.importing import (
    ImportOutcome as ImportOutcome,
    export_secrets_as_env as export_secrets_as_env,
    export_secrets_as_json as export_secrets_as_json,
    import_from_codex as import_from_codex,
    import_from_environment as import_from_environment,
    import_from_file as import_from_file,
    import_into as import_into,
)
from codex_client.auth.issuer import (
    OAuthIssuer as OAuthIssuer,
)
from codex_client.auth.keyring_store import (
    KeyringTokenStore as KeyringTokenStore,
)
from codex_client.auth.login import (
    BrowserLogin as BrowserLogin,
    DeviceLogin as DeviceLogin,
    is_headless as is_headless,
    login_hints as login_hints,
    runs_in_container as runs_in_container,
)
from codex_client.auth.login_handle import (
    LoginHandle as LoginHandle,
)
from codex_client.auth.oauth import (
    OAuthClient as OAuthClient,
    RefreshReason as RefreshReason,
)
from codex_client.auth.refresh import (
    RefreshingAuth as RefreshingAuth,
)
from codex_client.auth.static import (
    EnvAuth as EnvAuth,
    NoAuth as NoAuth,
    StaticAuth as StaticAuth,
)
from codex_client.auth.store import (
    MemoryTokenStore as MemoryTokenStore,
    TokenStore as TokenStore,
)
from codex_client.auth.tokens import (
    TokenSet as TokenSet,
)
from codex_client.backend_profile import (
    BackendProfile as BackendProfile,
    built_in_profiles as built_in_profiles,
)
from codex_client.client.config import (
    ChatConfig as ChatConfig,
    ClientConfig as ClientConfig,
    GuardPolicy as GuardPolicy,
    ResponsesConfig as ResponsesConfig,
    RestartPolicy as RestartPolicy,
    RetryPolicy as RetryPolicy,
    StreamLimits as StreamLimits,
    Timeouts as Timeouts,
    Transport as Transport,
)
from codex_client.client.telemetry import (
    LoggingTelemetry as LoggingTelemetry,
    SilentTelemetry as SilentTelemetry,
)
from codex_client.clients.chat import (
    ChatCompletionsApiClient as ChatCompletionsApiClient,
)
from codex_client.clients.generic import (
    GenericClient as GenericClient,
)
from codex_client.clients.offline import (
    stream_from_fixture as stream_from_fixture,
)
from codex_client.clients.responses import (
    ResponsesApiClient as ResponsesApiClient,
)
from codex_client.condense import (
    AggregateMode as AggregateMode,
)
from codex_client.connecting import (
    connect as connect,
)
from codex_client.credentials.accounts import (
    local_issuer as local_issuer,
    local_pool as local_pool,
    local_provider as local_provider,
    local_state as local_state,
    local_store as local_store,
)
from codex_client.credentials.explain import (
    AccountBlock as AccountBlock,
    AccountStatus as AccountStatus,
    Explanation as Explanation,
)
from codex_client.credentials.file_state import (
    FilePoolState as FilePoolState,
)
from codex_client.credentials.limit_view import (
    LimitView as LimitView,
)
from codex_client.credentials.pool import (
    PLAN_ORDER as PLAN_ORDER,
    CredentialPool as CredentialPool,
)
from codex_client.credentials.pool_record import (
    PoolRecord as PoolRecord,
)
from codex_client.credentials.pool_state import (
    MemoryPoolState as MemoryPoolState,
    PoolState as PoolState,
)
from codex_client.credentials.pool_usage import (
    UsageResult as UsageResult,
)
from codex_client.credentials.quota import (
    AccountQuota as AccountQuota,
)
from codex_client.credentials.quota_state import (
    QuotaState as QuotaState,
)
from codex_client.credentials.redis_state import (
    RedisPoolState as RedisPoolState,
)
from codex_client.credentials.redis_store import (
    RedisTokenStore as RedisTokenStore,
)
from codex_client.credentials.selection import (
    AccountCandidate as AccountCandidate,
    AccountChoice as AccountChoice,
    AccountSelection as AccountSelection,
    LeaseRequest as LeaseRequest,
)
from codex_client.decode.usage import (
    UsageReport as UsageReport,
)
from codex_client.errors import (
    AuthenticationError as AuthenticationError,
    AuthenticationFailed as AuthenticationFailed,
    AuthenticationInStreamError as AuthenticationInStreamError,
    AuthError as AuthError,
    CodexError as CodexError,
    ConfigurationError as ConfigurationError,
    ConnectError as ConnectError,
    ConnectTimeoutError as ConnectTimeoutError,
    ContextWindowExceeded as ContextWindowExceeded,
    ContextWindowExceededError as ContextWindowExceededError,
    ContextWindowExceededStatusError as ContextWindowExceededStatusError,
    DnsError as DnsError,
    DroppedParameterWarning as DroppedParameterWarning,
    EmptyResponseError as EmptyResponseError,
    FirstEventTimeoutError as FirstEventTimeoutError,
    FrameTooLargeError as FrameTooLargeError,
    GarbledOutputError as GarbledOutputError,
    IdleTimeoutError as IdleTimeoutError,
    IncompleteResponseError as IncompleteResponseError,
    InvalidPayloadError as InvalidPayloadError,
    InvalidPrompt as InvalidPrompt,
    InvalidPromptError as InvalidPromptError,
    InvalidPromptStatusError as InvalidPromptStatusError,
    InvalidRequest as InvalidRequest,
    InvalidRequestError as InvalidRequestError,
    InvalidRequestInStreamError as InvalidRequestInStreamError,
    LoginError as LoginError,
    LoginRequiredError as LoginRequiredError,
    MalformedFrameError as MalformedFrameError,
    MissingCredentialsError as MissingCredentialsError,
    MissingExtraError as MissingExtraError,
    ModelNotFound as ModelNotFound,
    ModelNotFoundError as ModelNotFoundError,
    ModelNotFoundInStreamError as ModelNotFoundInStreamError,
    NetworkBlockedError as NetworkBlockedError,
    NotFoundError as NotFoundError,
    PermissionDenied as PermissionDenied,
    PermissionDeniedError as PermissionDeniedError,
    PermissionDeniedInStreamError as PermissionDeniedInStreamError,
    PolicyViolation as PolicyViolation,
    PolicyViolationError as PolicyViolationError,
    PolicyViolationStatusError as PolicyViolationStatusError,
    PoolExhaustedError as PoolExhaustedError,
    PoolTimeoutError as PoolTimeoutError,
    ProtocolError as ProtocolError,
    ProxyError as ProxyError,
    QuotaExceeded as QuotaExceeded,
    QuotaExceededError as QuotaExceededError,
    QuotaExceededStatusError as QuotaExceededStatusError,
    RateLimited as RateLimited,
    RateLimitedInStreamError as RateLimitedInStreamError,
    RateLimitError as RateLimitError,
    ReadError as ReadError,
    RedirectError as RedirectError,
    ResponseFailedError as ResponseFailedError,
    RetryLimitError as RetryLimitError,
    ServerError as ServerError,
    ServerOverloaded as ServerOverloaded,
    ServerOverloadedError as ServerOverloadedError,
    ServerOverloadedInStreamError as ServerOverloadedInStreamError,
    StreamClosedError as StreamClosedError,
    StreamError as StreamError,
    TlsError as TlsError,
    TokenRefreshError as TokenRefreshError,
    TokenStoreError as TokenStoreError,
    TransportError as TransportError,
    UnexpectedContentError as UnexpectedContentError,
    UnexpectedStatusError as UnexpectedStatusError,
    UnsupportedOperationError as UnsupportedOperationError,
    UnsupportedParameterError as UnsupportedParameterError,
    UsageLimitReached as UsageLimitReached,
    UsageLimitReachedError as UsageLimitReachedError,
    UsageLimitReachedInStreamError as UsageLimitReachedInStreamError,
    UsageNotIncluded as UsageNotIncluded,
    UsageNotIncludedError as UsageNotIncludedError,
    UsageNotIncludedInStreamError as UsageNotIncludedInStreamError,
    WriteError as WriteError,
)
from codex_client.events import (
    Completed as Completed,
    Created as Created,
    ModelsEtag as ModelsEtag,
    OutputItemAdded as OutputItemAdded,
    OutputItemDone as OutputItemDone,
    OutputTextDelta as OutputTextDelta,
    RateLimits as RateLimits,
    RawEvent as RawEvent,
    ReasoningContentDelta as ReasoningContentDelta,
    ReasoningSummaryDelta as ReasoningSummaryDelta,
    ReasoningSummaryPartAdded as ReasoningSummaryPartAdded,
    RefusalDelta as RefusalDelta,
    ResponseEvent as ResponseEvent,
    ServerModel as ServerModel,
    StreamRestarted as StreamRestarted,
    ToolCallInputDelta as ToolCallInputDelta,
)
from codex_client.guard.capacity import (
    CAPACITY_TEXTS as CAPACITY_TEXTS,
    CapacityGuard as CapacityGuard,
)
from codex_client.guard.empty import (
    EmptyGuard as EmptyGuard,
)
from codex_client.guard.garbled import (
    GarbleGuard as GarbleGuard,
)
from codex_client.guard.markers import (
    MARKERS as MARKERS,
    Marker as Marker,
    active_markers as active_markers,
)
from codex_client.items import (
    Compaction as Compaction,
    ContentPart as ContentPart,
    CustomToolCall as CustomToolCall,
    CustomToolCallOutput as CustomToolCallOutput,
    FunctionCall as FunctionCall,
    FunctionCallOutput as FunctionCallOutput,
    InputFile as InputFile,
    InputImage as InputImage,
    InputText as InputText,
    LocalShellCall as LocalShellCall,
    Message as Message,
    OtherContent as OtherContent,
    OtherItem as OtherItem,
    OutputText as OutputText,
    Reasoning as Reasoning,
    ReasoningText as ReasoningText,
    Refusal as Refusal,
    ResponseItem as ResponseItem,
    SummaryText as SummaryText,
    ToolOutput as ToolOutput,
    WebSearchCall as WebSearchCall,
    dump_item as dump_item,
    parse_item as parse_item,
)
from codex_client.model_provider import (
    ModelProviderInfo as ModelProviderInfo,
    WireApi as WireApi,
    azure_provider as azure_provider,
    built_in_providers as built_in_providers,
)
from codex_client.model_variants import (
    Credits as Credits,
    LimitSource as LimitSource,
    RateLimitSnapshot as RateLimitSnapshot,
    RateLimitWindow as RateLimitWindow,
    TokenUsage as TokenUsage,
)
from codex_client.models import (
    BUILT_IN_MODELS as BUILT_IN_MODELS,
    EFFORTS as EFFORTS,
    MODEL_ALIASES as MODEL_ALIASES,
    Effort as Effort,
    ModelCatalogue as ModelCatalogue,
    ModelChoice as ModelChoice,
    ModelInfo as ModelInfo,
    Verbosity as Verbosity,
    parse_model_name as parse_model_name,
    parse_models as parse_models,
)
from codex_client.payload.calls import (
    without_orphans as without_orphans,
)
from codex_client.payload.tools import (
    parse_tool as parse_tool,
)
from codex_client.prompt import (
    CustomTool as CustomTool,
    FunctionTool as FunctionTool,
    Prompt as Prompt,
    RawTool as RawTool,
    ReasoningOptions as ReasoningOptions,
    Summary as Summary,
    Tool as Tool,
    ToolChoice as ToolChoice,
)
from codex_client.routed_client import (
    RoutedApiClient as RoutedApiClient,
)
from codex_client.stream import (
    EventSource as EventSource,
    ResponseStream as ResponseStream,
)
from codex_client.version import __version__ as __version__
