"""What a Responses server demands of every request, whatever the prompt says, and what it cannot be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from codex_client.errors import ConfigurationError, InvalidPayloadError
from codex_client.items import Message, dump_item
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import ModelCatalogue
from codex_client.payload.chosen import default_verbosity
from codex_client.prompt import Prompt

# The encrypted form of reasoning is all that a server which keeps nothing can be given back.
SEALS = "reasoning.encrypted_content"


def add_demanded(body: dict[str, Any], provider: ModelProviderInfo, catalogue: ModelCatalogue) -> None:
    """What the server demands, or answers badly without. Raises `ConfigurationError` for storing where nothing is."""
    backend = provider.backend
    if backend.default_instructions and not body.get("instructions"):
        body["instructions"] = backend.default_instructions
    if not backend.stores:
        _keep_nothing(body, provider.name)
    text: Any = body.get("text") or {}
    if backend.default_verbosity and isinstance(text, dict):
        verbosity = default_verbosity(catalogue.get(str(body["model"])), backend)
        _add_verbosity(body, cast("dict[str, Any]", text), verbosity)


def check_kept_by_nobody(prompt: Prompt, extra: Mapping[str, Any], references: Sequence[str], *, server: str) -> None:
    """Raises `InvalidPayloadError` for what only a server that stores things can look up. `references`: the places of
    the items that stand for others.
    """
    own = {"previous_response_id": prompt.previous_response_id}
    named = [name for name in ("previous_response_id", "conversation", "prompt") if extra.get(name, own.get(name))]
    if named:
        raise InvalidPayloadError(
            f"{named[0]} names what {server} would have to keep, and it keeps nothing; send the "
            "instructions and the whole history as input, as Prompt.with_history does",
            param=named[0],
        )
    if references:
        raise InvalidPayloadError(
            f"{references[0]} is an item_reference, and {server} keeps no items; give the item itself",
            param=references[0],
        )


def _keep_nothing(body: dict[str, Any], server: str) -> None:
    """Such a server answers by a stream, from the items of one request alone."""
    if body.get("store"):
        raise ConfigurationError(f"{server} stores no responses; leave `store` out, or set it to False")
    body |= {"store": False, "stream": True}
    if isinstance(body.get("input"), str):
        body["input"] = [dump_item(Message.user(body["input"]))]
    include: Any = body.get("include") or []
    if isinstance(include, list) and SEALS not in include:
        body["include"] = [*cast("list[Any]", include), SEALS]


def _add_verbosity(body: dict[str, Any], text: dict[str, Any], default: str | None) -> None:
    """What is null is not asked for."""
    asked = {key: field for key, field in text.items() if key != "verbosity" or field is not None}
    if default is not None:
        asked = {"verbosity": default, **asked}
    body.pop("text", None)
    if asked:
        body["text"] = asked
