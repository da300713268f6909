"""The client for the Chat Completions API."""

from __future__ import annotations

from codex_client.client.config import ChatConfig
from codex_client.clients.generic import GenericClient
from codex_client.decode.chat import ChatDecoder
from codex_client.payload.chat import ChatPayloadBuilder


class ChatCompletionsApiClient(GenericClient):
    """`GenericClient` for `POST {base_url}/chat/completions`."""

    def __init__(self, config: ChatConfig) -> None:
        builder = ChatPayloadBuilder(
            model=config.model,
            provider=config.provider,
            conversation_id=config.conversation_id,
            reasoning=config.reasoning,
            catalogue=config.catalogue,
            strict_parameters=config.strict_parameters,
        )
        super().__init__(config, builder=builder, decoder=ChatDecoder)
