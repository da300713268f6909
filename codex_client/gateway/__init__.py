"""An HTTP server on this machine that speaks OpenAI's API over any client of this library. Needs the extra [gateway].

    from codex_client.gateway import GatewayConfig, create_app, serve

    async with connect("gpt-5", provider="chatgpt") as client:
        await serve(create_app(client), port=8787)

| route                        | what it is                                                                |
|------------------------------|---------------------------------------------------------------------------|
| `POST /v1/chat/completions`  | one turn, as a stream of chunks or as a whole completion                  |
| `POST /v1/responses`         | one turn, as a stream of events or as a whole response                    |
| `GET /v1/models`, `…/{id}`   | the models there are                                                      |
| `GET /health`                | 200 where a turn could be served now, else 503                            |
| `GET /metrics`               | counters and gauges for Prometheus                                        |
| `GET /`, `GET /status.json`  | the status page, and what it shows                                        |

Nothing that a caller sends but the prompt and the name of the conversation goes to the provider: no header, no key.
"""

from codex_client.errors import MissingExtraError

try:
    from codex_client.gateway.app import create_app as create_app
    from codex_client.gateway.config import GatewayConfig as GatewayConfig
    from codex_client.gateway.server import serve as serve
except ModuleNotFoundError as _error:
    _package = (_error.name or "").partition(".")[0]
    if _package not in ("prometheus_client", "starlette", "uvicorn"):
        raise
    raise MissingExtraError(
        f"the gateway needs the package {_package!r}; pip install 'codex-client[gateway]'", extra="gateway"
    ) from None
