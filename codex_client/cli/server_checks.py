"""What `doctor` asks the server: its list of models, and with it whether the credential does and the clocks agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from codex_client.api import AuthProvider, Clock
from codex_client.cli.findings import Finding
from codex_client.cli.output import counted
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.clients.endpoint import Endpoint, Told
from codex_client.clients.models import models_url
from codex_client.credentials.quota_state import duration
from codex_client.errors import CodexError, UnexpectedStatusError
from codex_client.masking import safe_url
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import ModelCatalogue, is_model_list, parse_model_name, parse_models

# A token is renewed a minute and more before its end; a clock that is wrong by that much does harm.
_TOLERANCE = 60.0


async def check_models(
    provider: ModelProviderInfo, auth: AuthProvider | None, clock: Clock, *, model: str | None
) -> Sequence[Finding]:
    """One request, and what its answer tells. `auth`: None where there is no credential to ask with."""
    if auth is None:
        return [Finding.skipped(name, "there is no credential to ask with") for name in ("models", "model", "clock")]
    dates: list[tuple[str, float]] = []

    def read(answer: ExchangeAnswer, now: float) -> Told[ExchangeAnswer] | None:
        dates.append((answer.headers.get("date", ""), now))
        return Told(answer) if answer.status == 200 else None

    url = safe_url(models_url(provider))
    try:
        async with Exchange(clock=clock) as exchange:
            endpoint = Endpoint(provider, models_url(provider), read, "models", {})
            answer = await endpoint.ask(auth, exchange, clock=clock)
    except UnexpectedStatusError as error:
        return [_of_refusal(error, url), Finding.skipped("model", "no list came"), _clock(dates)]
    except CodexError as error:
        return [Finding.of_error("models", error), Finding.skipped("model", "no list came"), _clock(dates)]
    return [*_of_list(provider, answer, url, model), _clock(dates)]


def _of_refusal(error: UnexpectedStatusError, url: str) -> Finding:
    if error.status == 404:
        return Finding.note(
            "models", f"{url} is not there (404)", "check the address if turns fail; some servers list no models"
        )
    return Finding.of_error("models", error)


def _of_list(provider: ModelProviderInfo, answer: ExchangeAnswer, url: str, model: str | None) -> Sequence[Finding]:
    try:
        told: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if not is_model_list(told):
        found = Finding.note(
            "models",
            f"{url} answers {len(answer.body)} bytes that are no list of models",
            "check the address, and what is in between",
        )
        return [found, Finding.skipped("model", "no list came")]
    listed = ModelCatalogue(models=parse_models(told))
    return [
        Finding.ok("models", f"{url} answers: {counted(len(listed.models), 'model')}"),
        _of_model(provider, listed, model),
    ]


def _of_model(provider: ModelProviderInfo, listed: ModelCatalogue, model: str | None) -> Finding:
    if model is None:
        return Finding.skipped("model", "none is chosen")
    try:
        slug = parse_model_name(model).slug if provider.backend.uses_catalogue else model
    except CodexError as error:
        return Finding.of_error("model", error)
    if slug in listed.slugs:
        return Finding.ok("model", f"{slug} is among them")
    return Finding.note("model", f"{slug} is not among them", "look for another by `codex-client models`")


def _clock(dates: Sequence[tuple[str, float]]) -> Finding:
    """How far this machine's clock is from the server's, by the header `date`, which tells whole seconds."""
    if not dates:
        return Finding.skipped("clock", "no answer came")
    date, now = dates[-1]
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return Finding.skipped("clock", "the answer tells no date")
    # Without a zone it is GMT, by the header's definition.
    skew = now - (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    if abs(skew) <= _TOLERANCE:
        return Finding.ok("clock", "as the server's")
    way = "ahead of" if skew > 0 else "behind"
    return Finding.note(
        "clock", f"{duration(abs(skew))} {way} the server's", "set it: logins and limits go by the time of day"
    )
