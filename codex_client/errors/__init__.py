"""Every failure as a class that carries its facts.

Two axes meet here. *Where* it was seen is one family each: before an HTTP answer (`TransportError`), in the HTTP status
(`UnexpectedStatusError`), in the reading of the stream (`StreamError`), or told by the server inside a stream that
had begun well (`ResponseFailedError`). *What it means* is a condition, such as `ServerOverloaded`: the status form and
the in-stream form of one meaning share it, so that one `except` catches both.

Errors are plain values: they survive `pickle` and `copy`, and never hold a credential. The message is the first
argument; every fact is a keyword with a default, and an attribute of the same name.
"""

from codex_client.errors.base import (
    AuthenticationFailed as AuthenticationFailed,
    CodexError as CodexError,
    ContextWindowExceeded as ContextWindowExceeded,
    InvalidPrompt as InvalidPrompt,
    InvalidRequest as InvalidRequest,
    ModelNotFound as ModelNotFound,
    PermissionDenied as PermissionDenied,
    PolicyViolation as PolicyViolation,
    QuotaExceeded as QuotaExceeded,
    RateLimited as RateLimited,
    ServerOverloaded as ServerOverloaded,
    UsageLimitReached as UsageLimitReached,
    UsageNotIncluded as UsageNotIncluded,
)
from codex_client.errors.in_stream import (
    AuthenticationInStreamError as AuthenticationInStreamError,
    ContextWindowExceededError as ContextWindowExceededError,
    IncompleteResponseError as IncompleteResponseError,
    InvalidPromptError as InvalidPromptError,
    InvalidRequestInStreamError as InvalidRequestInStreamError,
    ModelNotFoundInStreamError as ModelNotFoundInStreamError,
    PermissionDeniedInStreamError as PermissionDeniedInStreamError,
    PolicyViolationError as PolicyViolationError,
    QuotaExceededError as QuotaExceededError,
    RateLimitedInStreamError as RateLimitedInStreamError,
    ResponseFailedError as ResponseFailedError,
    ServerOverloadedInStreamError as ServerOverloadedInStreamError,
    UsageLimitReachedInStreamError as UsageLimitReachedInStreamError,
    UsageNotIncludedInStreamError as UsageNotIncludedInStreamError,
)
from codex_client.errors.local import (
    AuthError as AuthError,
    ConfigurationError as ConfigurationError,
    DroppedParameterWarning as DroppedParameterWarning,
    InvalidPayloadError as InvalidPayloadError,
    LoginError as LoginError,
    LoginRequiredError as LoginRequiredError,
    MissingCredentialsError as MissingCredentialsError,
    MissingExtraError as MissingExtraError,
    PoolExhaustedError as PoolExhaustedError,
    TokenRefreshError as TokenRefreshError,
    TokenStoreError as TokenStoreError,
    UnsupportedOperationError as UnsupportedOperationError,
    UnsupportedParameterError as UnsupportedParameterError,
)
from codex_client.errors.status import (
    AuthenticationError as AuthenticationError,
    ContextWindowExceededStatusError as ContextWindowExceededStatusError,
    InvalidPromptStatusError as InvalidPromptStatusError,
    InvalidRequestError as InvalidRequestError,
    ModelNotFoundError as ModelNotFoundError,
    NetworkBlockedError as NetworkBlockedError,
    NotFoundError as NotFoundError,
    PermissionDeniedError as PermissionDeniedError,
    PolicyViolationStatusError as PolicyViolationStatusError,
    QuotaExceededStatusError as QuotaExceededStatusError,
    RateLimitError as RateLimitError,
    ServerError as ServerError,
    ServerOverloadedError as ServerOverloadedError,
    UnexpectedStatusError as UnexpectedStatusError,
    UsageLimitReachedError as UsageLimitReachedError,
    UsageNotIncludedError as UsageNotIncludedError,
)
from codex_client.errors.stream import (
    EmptyResponseError as EmptyResponseError,
    FirstEventTimeoutError as FirstEventTimeoutError,
    FrameTooLargeError as FrameTooLargeError,
    GarbledOutputError as GarbledOutputError,
    IdleTimeoutError as IdleTimeoutError,
    MalformedFrameError as MalformedFrameError,
    RetryLimitError as RetryLimitError,
    StreamClosedError as StreamClosedError,
    StreamError as StreamError,
    UnexpectedContentError as UnexpectedContentError,
)
from codex_client.errors.transport import (
    ConnectError as ConnectError,
    ConnectTimeoutError as ConnectTimeoutError,
    DnsError as DnsError,
    PoolTimeoutError as PoolTimeoutError,
    ProtocolError as ProtocolError,
    ProxyError as ProxyError,
    ReadError as ReadError,
    RedirectError as RedirectError,
    TlsError as TlsError,
    TransportError as TransportError,
    WriteError as WriteError,
)
