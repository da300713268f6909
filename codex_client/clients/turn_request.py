"""What one turn sends: the prompt's payload, as this account may be given it and as the server has come to take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codex_client.api import Lease, PayloadBuilder
from codex_client.client.config import ClientConfig
from codex_client.client.outgoing import Outgoing
from codex_client.clients.turn_state import HEADER, Strand, TurnStates, just_answered
from codex_client.errors import CodexError, InvalidRequestError
from codex_client.items import Reasoning, ResponseItem
from codex_client.payload.calls import pair_id
from codex_client.payload.conversation import conversation_of, user_turn_of
from codex_client.payload.encode import encode_payload
from codex_client.payload.refused import Asked, LearntRefusals, warn_dropped
from codex_client.payload.sealed import issuer_tag, issuers_in, without_seals_of
from codex_client.prompt import Prompt

if TYPE_CHECKING:
    from codex_client.payload.amend import Amendment, AmendmentKind


class Learnt:
    """What a client has been told by its server, beyond single turns.

    `refused`: fields to leave out, and for whom; `turn_states`: None where the server has none; `untagged_refused`: the
    issuers who could not read reasoning of which nobody knows who encrypted it.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.refused: LearntRefusals = LearntRefusals(server=config.provider.name)
        self.turn_states: TurnStates | None = TurnStates() if config.provider.backend.echoes_turn_state else None
        self.untagged_refused: set[str] = set()


class TurnRequest(Outgoing):
    """The request of one prompt. `model` is the name that stands in the payload.

    Where the backend needs a conversation and neither the prompt nor the configuration names one, it is named by how it
    began: one client holds many conversations, and each keeps its account, its cache and its turns' states.
    The body is built once, and again only for an account that did not encrypt the reasoning in it, or that is known to
    refuse what is in it, or does so now. Raises what the builder raises, and `InvalidPayloadError` for what is no JSON.
    """

    def __init__(self, prompt: Prompt, builder: PayloadBuilder, config: ClientConfig, learnt: Learnt) -> None:
        self._prompt = prompt = in_conversation(prompt, config)
        self._builder = builder
        self._config = config
        self._learnt = learnt
        self._amendments: dict[str | None, dict[AmendmentKind, Amendment]] = {}
        self._bodies: dict[str | None, bytes] = {}
        self._account: str | None = None
        payload = builder.build(prompt)
        super().__init__(
            encode_payload(payload), conversation_id=prompt.conversation_id or config.conversation_id or None
        )
        self.model: str = str(payload.get("model", config.model))
        self._asked: Asked = Asked.by(payload)
        self._sealed_by: frozenset[str | None] = issuers_in(prompt.items)
        self._states: TurnStates | None = learnt.turn_states if self.conversation_id else None
        self._turn: str = f"{self.conversation_id} {user_turn_of(prompt)}" if self._states is not None else ""
        self._answered: list[str] = just_answered(prompt)
        self._strand: Strand | None = None

    def begin(self) -> None:
        """The request is about to be sent."""
        states, turn = self._states, self._turn
        if states is not None:
            self._strand = states.going_on(turn, self._answered) if self._answered else states.begin(turn)

    def body_for(self, lease: Lease) -> bytes:
        self._account = lease.account
        if lease.account not in self._bodies:
            self._bodies[lease.account] = self._body_of(lease.account)
        return self._bodies[lease.account]

    def headers_for(self, lease: Lease) -> Mapping[str, str]:
        state = self._strand.state_of(lease.account) if self._strand and self._answered else None
        return {} if state is None else {HEADER: state}

    def learn(self, lease: Lease, headers: Mapping[str, str]) -> None:
        """The headers of an answer with a good status: the server takes what was sent."""
        if self._states is not None and self._strand is not None:
            self._states.learn(self._strand, lease.account, headers)
        amendments = self._amendments.get(lease.account, {}).values()
        fields = [amendment for amendment in amendments if amendment.kind != "encrypted_content"]
        self._learnt.refused.learn(self._asked_by(lease.account), fields)

    def complete_item(self, lease: Lease, item: ResponseItem) -> ResponseItem:
        """An item of an answer to this lease's account: its calls are noted, and its encrypted reasoning is tagged."""
        call_id = pair_id(item)
        if call_id is not None and self._states is not None and self._strand is not None:
            self._states.note_call(self._strand, call_id)
        if isinstance(item, Reasoning) and item.encrypted_content:
            return item.model_copy(update={"issuer": self._issuer_of(lease.account)})
        return item

    def amend(self, error: CodexError) -> bool:
        """Leave out what the server refused. Each kind of refusal once in a turn, for each account: the next one is the
        caller's.

        What counts is the body that this turn has sent: another turn may have learnt of the refusal meanwhile.
        """
        if not isinstance(error, InvalidRequestError) or self._account not in self._bodies:
            return False
        # Refusals are rare, and reading them takes rules that are loaded with the first one.
        from codex_client.payload.amend import find_amendment

        account = self._account
        payload: dict[str, Any] = json.loads(self._bodies[account])
        amendment = find_amendment(error, payload)
        made = self._amendments.setdefault(account, {})
        if amendment is None or amendment.kind in made:
            return False
        if amendment.kind == "encrypted_content":
            self._distrust_seals(self._issuer_of(account))
        elif self._config.strict_parameters:
            return False
        else:
            self._learnt.refused.tell(self._asked_by(account), amendment)
        made[amendment.kind] = amendment
        del self._bodies[account]
        return True

    def _body_of(self, account: str | None) -> bytes:
        """What this account may be given: without what others encrypted, and what it refuses."""
        foreign = self._foreign_to(self._issuer_of(account))
        amendments = [
            *self._learnt.refused.of(self._asked_by(account)),
            *self._amendments.get(account, {}).values(),
        ]
        if not foreign and not amendments:
            return self.body
        prompt = self._prompt
        if foreign:
            prompt = replace(prompt, input=without_seals_of(prompt.items, foreign))
        payload = self._builder.build(prompt)
        for amendment in amendments:
            amendment.amend(payload)
        return encode_payload(payload)

    def _asked_by(self, account: str | None) -> Asked:
        return self._asked._replace(account=account)

    def _issuer_of(self, account: str | None) -> str:
        """Who encrypts the reasoning of an answer to this account."""
        return issuer_tag(self._config.provider.host, account, self.model)

    def _foreign_to(self, issuer: str) -> frozenset[str | None]:
        """Whose encrypted reasoning this issuer cannot read. What has no tag is sent until it is refused."""
        readable = {issuer} if issuer in self._learnt.untagged_refused else {issuer, None}
        return self._sealed_by - readable

    def _distrust_seals(self, issuer: str) -> None:
        if None in self._sealed_by and self._sealed_by <= self._foreign_to(issuer):
            # Another turn has learnt of it while this one was under way.
            return
        warn_dropped(
            f"{self._config.provider.name} cannot read the encrypted reasoning of the input, which another server, "
            "account or model wrote; it is left out"
        )
        if None in self._sealed_by:
            self._learnt.untagged_refused.add(issuer)


def in_conversation(prompt: Prompt, config: ClientConfig) -> Prompt:
    """The prompt with a conversation, where the backend needs one."""
    if prompt.conversation_id or config.conversation_id or not config.provider.backend.needs_conversation:
        return prompt
    return replace(prompt, input=prompt.items, conversation_id=conversation_of(prompt))
