"""What one turn sends: the prompt's payload, as this account may be given it and as the server has come to take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codex_client.api import Lease, PayloadBuilder
from codex_client.client.config import ClientConfig
from codex_client.client.outgoing import Outgoing
from codex_client.clients.turn_state import HEADER, TurnStates, goes_on
from codex_client.errors import CodexError, InvalidRequestError
from codex_client.payload.conversation import conversation_of, user_turn_of
from codex_client.payload.encode import encode_payload
from codex_client.payload.refused import RefusedFields, warn_dropped
from codex_client.payload.sealed import issuer_tag, issuers_in, without_seals_of
from codex_client.prompt import Prompt

if TYPE_CHECKING:
    from codex_client.payload.amend import Amendment


class Learnt:
    """What a client has been told by its server, beyond single turns.

    `refused`: fields to leave out; `turn_states`: None where the server has none; `untagged_refused`: the issuers who
    could not read reasoning of which nobody knows who encrypted it.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.refused: RefusedFields = RefusedFields(server=config.provider.name, strict=config.strict_parameters)
        self.turn_states: TurnStates | None = TurnStates() if config.provider.backend.echoes_turn_state else None
        self.untagged_refused: set[str] = set()


class TurnRequest(Outgoing):
    """The request of one prompt. `model` is the name that stands in the payload.

    Where the backend needs a conversation and neither the prompt nor the configuration names one, it is named by how it
    began: one client holds many conversations, and each keeps its account, its cache and its turns' states.
    The body is built once, and again only where reasoning must be left out of it for an account that did not encrypt
    it, or after a refusal. Raises what the builder raises, and `InvalidPayloadError` for what is no JSON.
    """

    def __init__(self, prompt: Prompt, builder: PayloadBuilder, config: ClientConfig, learnt: Learnt) -> None:
        self._prompt = prompt = in_conversation(prompt, config)
        self._builder = builder
        self._config = config
        self._learnt = learnt
        self._amended: set[str] = set()
        self._without_seals: Amendment | None = None
        self._sealed_by: frozenset[str | None] = frozenset()
        self._bodies: dict[frozenset[str | None], bytes] = {}
        self._issuer: str = ""
        self._sent: bytes = b""
        payload = self._payload(frozenset())
        super().__init__(
            encode_payload(payload), conversation_id=prompt.conversation_id or config.conversation_id or None
        )
        self.model: str = str(payload.get("model", config.model))
        self._sealed_by = issuers_in(prompt.items)
        self._states: TurnStates | None = learnt.turn_states if self.conversation_id else None
        self._turn: str = f"{self.conversation_id} {user_turn_of(prompt)}" if self._states is not None else ""
        self._goes_on = goes_on(prompt)

    def begin(self) -> None:
        """The request is about to be sent."""
        if self._states is not None and not self._goes_on:
            self._states.begin(self._turn)

    def issuer_of(self, lease: Lease) -> str:
        """Who encrypts the reasoning of an answer to this lease's account."""
        return issuer_tag(self._config.provider.host, lease.account, self.model)

    def body_for(self, lease: Lease) -> bytes:
        self._issuer = self.issuer_of(lease)
        foreign = self._foreign_to(self._issuer)
        if foreign and foreign not in self._bodies:
            self._bodies[foreign] = encode_payload(self._payload(foreign))
        self._sent = self._bodies[foreign] if foreign else self.body
        return self._sent

    def headers_for(self, lease: Lease) -> Mapping[str, str]:
        if self._states is None or not self._goes_on:
            return {}
        state = self._states.state_of(self._turn, lease.account)
        return {} if state is None else {HEADER: state}

    def learn(self, lease: Lease, headers: Mapping[str, str]) -> None:
        """The headers of an answer with a good status."""
        if self._states is not None:
            self._states.learn(self._turn, lease.account, headers)

    def amend(self, error: CodexError) -> bool:
        """Leave out what the server refused. Each kind of refusal once in a turn: the next one is the caller's.

        What counts is the body that this turn has sent: another turn may have learnt of the refusal meanwhile.
        """
        if not isinstance(error, InvalidRequestError):
            return False
        # Refusals are rare, and reading them takes rules that are loaded with the first one.
        from codex_client.payload.amend import find_amendment

        payload: dict[str, Any] = json.loads(self._sent)
        amendment = find_amendment(error, payload)
        if amendment is None or amendment.kind in self._amended:
            return False
        if amendment.kind == "encrypted_content":
            self._distrust_seals()
            self._without_seals = amendment
        elif self._learnt.refused.strict:
            return False
        else:
            self._learnt.refused.learn(payload, amendment)
        self._amended.add(amendment.kind)
        self._bodies.clear()
        self.body: bytes = encode_payload(self._payload(frozenset()))
        return True

    def _payload(self, foreign: frozenset[str | None]) -> dict[str, Any]:
        """Without what these issuers encrypted."""
        prompt = self._prompt
        if foreign:
            prompt = replace(prompt, input=without_seals_of(prompt.items, foreign))
        payload = self._builder.build(prompt)
        self._learnt.refused.leave_out(payload)
        if self._without_seals is not None:
            self._without_seals.amend(payload)
        return payload

    def _foreign_to(self, issuer: str) -> frozenset[str | None]:
        """Whose encrypted reasoning this issuer cannot read. What has no tag is sent until it is refused."""
        readable = {issuer} if issuer in self._learnt.untagged_refused else {issuer, None}
        return self._sealed_by - readable

    def _distrust_seals(self) -> None:
        if None in self._sealed_by and self._sealed_by <= self._foreign_to(self._issuer):
            # Another turn has learnt of it while this one was under way.
            return
        warn_dropped(
            f"{self._config.provider.name} cannot read the encrypted reasoning of the input, which another server, "
            "account or model wrote; it is left out"
        )
        if None in self._sealed_by:
            self._learnt.untagged_refused.add(self._issuer)


def in_conversation(prompt: Prompt, config: ClientConfig) -> Prompt:
    """The prompt with a conversation, where the backend needs one."""
    if prompt.conversation_id or config.conversation_id or not config.provider.backend.needs_conversation:
        return prompt
    return replace(prompt, input=prompt.items, conversation_id=conversation_of(prompt))
