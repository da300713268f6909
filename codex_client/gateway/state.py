"""What the parts of one gateway share."""

from __future__ import annotations

from dataclasses import dataclass

from codex_client.api import ApiClient, Clock
from codex_client.backend_profile import BackendProfile
from codex_client.credentials.pool import CredentialPool
from codex_client.gateway.activity import Activity
from codex_client.gateway.config import GatewayConfig
from codex_client.gateway.metrics import GatewayMetrics
from codex_client.gateway.model_list import ModelList
from codex_client.model_provider import WireApi


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """`upstream`, `backend` and `default_model` are the client's; "" is no model, None a client that does not tell.
    `pool`: whose accounts are shown, None where there is none. The client and its pool stay the caller's to close.
    """

    client: ApiClient
    upstream: WireApi
    backend: BackendProfile
    default_model: str | None
    config: GatewayConfig
    pool: CredentialPool | None
    models: ModelList
    activity: Activity
    metrics: GatewayMetrics
    clock: Clock
