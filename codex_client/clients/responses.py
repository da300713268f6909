"""The client for the Responses API."""

from __future__ import annotations

from codex_client.client.config import ResponsesConfig
from codex_client.clients.generic import GenericClient
from codex_client.decode.responses import ResponsesDecoder
from codex_client.payload.responses import ResponsesPayloadBuilder


class ResponsesApiClient(GenericClient):
    """`GenericClient` for `POST {base_url}/responses`."""

    def __init__(self, config: ResponsesConfig) -> None:
        builder = ResponsesPayloadBuilder(
            model=config.model,
            provider=config.provider,
            conversation_id=config.conversation_id,
            reasoning=config.reasoning,
            store=config.store,
            catalogue=config.catalogue,
            strict_parameters=config.strict_parameters,
        )
        super().__init__(config, builder=builder, decoder=ResponsesDecoder)
