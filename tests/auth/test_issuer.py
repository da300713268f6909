"""The issuer's addresses, and the URLs that no token is sent to."""

from __future__ import annotations

import pytest

from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.tokens import TokenSet
from codex_client.errors import ConfigurationError


def test_the_defaults_are_chatgpts() -> None:
    issuer = OAuthIssuer()
    assert (issuer.client_id, issuer.ports) == ("app_EMoamEEZ73f0CkXaXp7hrann", (1455, 1457))
    assert issuer.scopes == ("openid", "profile", "email", "offline_access")
    assert issuer.redirect_uri(1455) == "http://localhost:1455/auth/callback"
    assert [
        issuer.authorize_url,
        issuer.token_url,
        issuer.revoke_url,
        issuer.device_code_url,
        issuer.device_token_url,
        issuer.device_page,
        issuer.device_redirect_uri,
    ] == [
        f"https://auth.openai.com{path}"
        for path in (
            "/oauth/authorize",
            "/oauth/token",
            "/oauth/revoke",
            "/api/accounts/deviceauth/usercode",
            "/api/accounts/deviceauth/token",
            "/codex/device",
            "/deviceauth/callback",
        )
    ]


@pytest.mark.parametrize(
    "url", ["https://id.test", "https://id.test/a/", "http://127.0.0.1:5", "http://localhost", "http://[::1]:5"]
)
def test_https_and_loopback_are_taken(url: str) -> None:
    assert OAuthIssuer(url=url).token_url == f"{url.rstrip('/')}/oauth/token"


@pytest.mark.parametrize(
    "url",
    [
        "http://id.test",
        "http://127.0.0.1.evil.test",
        "ftp://localhost",
        "https://",
        "http://[::1",
        "https://me:canary-password@id.test",
        "https://id.test?key=canary-key",
        "https://id.test#canary-part",
    ],
)
def test_other_addresses_are_refused_and_not_quoted_with_their_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no plain https URL") as caught:
        OAuthIssuer(url=url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "id.test", "me:canary@id.test/a"])
def test_an_address_without_a_scheme_is_told_how_to_begin(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the issuer's address must begin with https://, as in") as caught:
        OAuthIssuer(url=url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("ports", [(), (-1,), (1455, 65536)])
def test_ports_are_checked(ports: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"OAuthIssuer\.ports is"):
        OAuthIssuer(ports=ports)


def test_a_slash_at_the_end_makes_no_other_issuer_and_no_other_account() -> None:
    issuer = OAuthIssuer(url="https://auth.example.test/")
    assert issuer == OAuthIssuer(url="https://auth.example.test")
    assert issuer.token_url == "https://auth.example.test/oauth/token"
    keys = {
        TokenSet.from_tokens("t", issuer=f"https://auth.example.test{end}", account_id="a").key
        for end in ("", "/", "//")
    }
    assert len(keys) == 1
