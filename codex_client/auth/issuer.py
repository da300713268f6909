"""Who issues the tokens: addresses, client id, scopes, ports. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from codex_client.errors import ConfigurationError
from codex_client.masking import is_private, safe_url

# The public client of the Codex CLI; the issuer takes its redirects on these two ports only.
_CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
_PORTS = (1455, 1457)
CALLBACK_PATH = "/auth/callback"
_SCOPES = ("openid", "profile", "email", "offline_access")


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuthIssuer:
    """An OAuth issuer and the client that this program is to it. The defaults are ChatGPT's and the Codex client's.

    `url` is the issuer's base, https but for a loopback address. `ports` are tried in order for the login's callback,
    which the browser is sent to as `http://localhost:PORT/auth/callback`; 0 lets the system choose, where the issuer
    takes any port. `originator` tells the issuer which program asks. `workspace_id` makes the login take that ChatGPT
    workspace and no other. Raises `ConfigurationError` for a URL that would carry tokens in the clear.
    """

    url: str = "https://auth.openai.com"
    client_id: str = _CLIENT_ID
    scopes: tuple[str, ...] = _SCOPES
    ports: tuple[int, ...] = _PORTS
    originator: str = "codex_client"
    workspace_id: str | None = None

    def __post_init__(self) -> None:
        if "://" not in self.url:
            raise ConfigurationError(
                f"the issuer's address must begin with https://, as in {safe_url('https://' + self.url)!r}"
            )
        if not _is_safe(self.url):
            raise ConfigurationError(
                f"the issuer {safe_url(self.url)!r} is no plain https URL; tokens would travel in the clear"
            )
        if not self.ports or not all(0 <= port <= 65535 for port in self.ports):
            raise ConfigurationError(
                f"OAuthIssuer.ports is {self.ports}; give at least one port from 0 to 65535 for the login's callback"
            )
        # One issuer, one spelling: it is part of an account's identity.
        object.__setattr__(self, "url", self.url.rstrip("/"))

    @property
    def authorize_url(self) -> str:
        return self._at("/oauth/authorize")

    @property
    def token_url(self) -> str:
        return self._at("/oauth/token")

    @property
    def revoke_url(self) -> str:
        return self._at("/oauth/revoke")

    @property
    def device_code_url(self) -> str:
        """Where a device login gets the code that the user types."""
        return self._at("/api/accounts/deviceauth/usercode")

    @property
    def device_token_url(self) -> str:
        """Where a device login asks whether the user has done so."""
        return self._at("/api/accounts/deviceauth/token")

    @property
    def device_page(self) -> str:
        """The page on which the user types the code."""
        return self._at("/codex/device")

    @property
    def device_redirect_uri(self) -> str:
        return self._at("/deviceauth/callback")

    def redirect_uri(self, port: int) -> str:
        """Where the issuer sends the browser after a login, on the machine that the browser runs on."""
        return f"http://localhost:{port}{CALLBACK_PATH}"

    def _at(self, path: str) -> str:
        return self.url + path


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return is_private(url) and not (parts.query or parts.fragment or "@" in parts.netloc)
