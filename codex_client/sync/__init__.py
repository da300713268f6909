"""The clients without `await`, for scripts and notebooks: the same names, each a thin face of the asynchronous one.

    from codex_client import Prompt
    from codex_client.sync import connect

    with connect("gpt-5") as client:
        print(client.collect(Prompt("Why is the sky blue?")).text)

Each client keeps an event loop in a thread of its own, begun by its first request; so it works where a loop runs
already, as in a notebook, and what is plugged into it (credentials, telemetry, clocks) is called in that thread. Any
number of threads may use one client. Ctrl-C ends the call that waits, and leaves nothing of it behind. There is no
`buffered`: who wants to read ahead has a loop to do it in. `aclose` is `close` here.
"""

from codex_client.sync.clients import (
    BlockingClient as BlockingClient,
    ChatCompletionsApiClient as ChatCompletionsApiClient,
    ProviderClient as ProviderClient,
    ResponsesApiClient as ResponsesApiClient,
    RoutedApiClient as RoutedApiClient,
    connect as connect,
)
from codex_client.sync.stream import (
    ResponseStream as ResponseStream,
    StreamBlock as StreamBlock,
    stream_from_fixture as stream_from_fixture,
)
