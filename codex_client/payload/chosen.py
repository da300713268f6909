"""Which model a prompt is for, and how hard it is to think: from the prompt, the model's name and the client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codex_client.backend_profile import BackendProfile
from codex_client.errors import InvalidPayloadError
from codex_client.models import ModelCatalogue, ModelInfo, parse_model_name
from codex_client.payload.history import checked_reasoning
from codex_client.prompt import Prompt, ReasoningOptions

_OR_KNOW_BETTER = "or give the client a `catalogue` that knows better: BUILT_IN_MODELS.merged(…)"


def chosen_model(
    prompt: Prompt,
    *,
    model: str,
    reasoning: ReasoningOptions | None,
    backend: BackendProfile,
    catalogue: ModelCatalogue,
) -> tuple[str, ReasoningOptions | None]:
    """The model's name in the payload, and the options of its reasoning. The name is "" where `extra` has the only one.

    The effort is the prompt's own, else the one behind the model's name where the backend goes by the catalogue, else
    that of `reasoning`. Raises `InvalidPayloadError` where there is no model, and for an effort and a verbosity that
    the model is known not to take.
    """
    options = checked_reasoning(prompt, reasoning)
    # Such a model is a matter between caller and server.
    elsewhere = bool((prompt.extra or {}).get("model"))
    name = _named(prompt, model, elsewhere=elsewhere)
    if not name.strip() or not backend.uses_catalogue:
        return name, options
    choice = parse_model_name(name, catalogue)
    own_effort = prompt.reasoning is not None and prompt.reasoning.effort is not None
    if choice.effort is not None and not own_effort:
        options = replace(options or ReasoningOptions(), effort=choice.effort)
    known = catalogue.get(choice.slug)
    if known is not None and not elsewhere:
        _check_taken(known, options, prompt.verbosity)
    return choice.slug, options


def default_verbosity(model: ModelInfo | None, backend: BackendProfile) -> str | None:
    """What is sent as `text.verbosity` where nobody asks for one: the backend's value if the model takes it.

    A model of which nobody has told is taken to: newer ones all do.
    """
    wanted = backend.default_verbosity
    if wanted is None or model is None or not model.verbosities or wanted in model.verbosities:
        return wanted
    return model.default_verbosity


def _named(prompt: Prompt, model: str, *, elsewhere: bool) -> str:
    name = prompt.model or model
    if name.strip() or elsewhere:
        return name
    raise InvalidPayloadError(
        "no model given; name one, such as connect('gpt-5') or Prompt(…, model='gpt-5'), or set CODEX_CLIENT_MODEL",
        param="model",
    )


def _check_taken(model: ModelInfo, options: ReasoningOptions | None, verbosity: str | None) -> None:
    effort = None if options is None else options.effort
    if effort is not None and model.reasons is False:
        raise InvalidPayloadError(
            f"the model {model.slug!r} takes no effort, and {effort!r} is asked for; leave it out, {_OR_KNOW_BETTER}",
            param="reasoning.effort",
        )
    _check_listed(model, "effort", effort, model.efforts, param="reasoning.effort")
    _check_listed(model, "verbosity", verbosity, model.verbosities, param="text.verbosity")


def _check_listed(model: ModelInfo, what: str, asked: str | None, allowed: Sequence[str], *, param: str) -> None:
    """Nothing is known of a model without a list: the server decides."""
    if asked is not None and allowed and asked not in allowed:
        raise InvalidPayloadError(
            f"the model {model.slug!r} does not take the {what} {asked!r}, but {', '.join(allowed)}; "
            f"ask for one of these, {_OR_KNOW_BETTER}",
            param=param,
        )
