"""Which model a prompt is for, and how hard it is to think: from the prompt, the model's name and the client."""

from __future__ import annotations

from dataclasses import replace

from codex_client.backend_profile import BackendProfile
from codex_client.models import ModelCatalogue, ModelInfo, parse_model_name
from codex_client.payload.history import checked_reasoning
from codex_client.prompt import Prompt, ReasoningOptions


def chosen_model(
    prompt: Prompt,
    *,
    model: str,
    reasoning: ReasoningOptions | None,
    backend: BackendProfile,
    catalogue: ModelCatalogue,
) -> tuple[str, ReasoningOptions | None]:
    """The model's name in the payload, and the options of its reasoning.

    The effort is the prompt's own, else the one behind the model's name where the backend's names have none of that
    sort, else that of `reasoning`. Raises `ConfigurationError` for an effort that the model does not take.
    """
    options = checked_reasoning(prompt, reasoning)
    name = prompt.model or model
    if not backend.has_effort_suffixes:
        return name, options
    choice = parse_model_name(name, catalogue)
    own_effort = prompt.reasoning is not None and prompt.reasoning.effort is not None
    if choice.effort is not None and not own_effort:
        options = replace(options or ReasoningOptions(), effort=choice.effort)
    return choice.slug, options


def default_verbosity(model: ModelInfo | None, backend: BackendProfile) -> str | None:
    """What is sent as `text.verbosity` where nobody asks for one: the backend's value if the model takes it.

    A model that no list has is taken to: newer ones all do.
    """
    wanted = backend.default_verbosity
    if wanted is None or model is None or wanted in model.verbosities:
        return wanted
    return model.default_verbosity
