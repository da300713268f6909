"""Proxies from the environment: the rules are httpx's own."""

from __future__ import annotations

from urllib.request import getproxies

import httpx
import pytest
from hypothesis import given, strategies as st

from codex_client.client.proxies import proxy_mounts

URLS = [
    f"{scheme}://{host}{port}/v1"
    for scheme in ("http", "https")
    for host in (
        "api.openai.com",
        "openai.com",
        "notopenai.com",
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "192.168.0.0",
        "192.168.0.7",
        "[::1]",
        "[2001:db8::1]",
        "intranet",
    )
    for port in ("", ":8080")
]
PROXY = "http://proxy.test:3128"
NO_PROXY = [
    "openai.com",
    ".openai.com",
    "api.openai.com",
    "localhost",
    "LocalHost",
    "127.0.0.1",
    "192.168.0.0/16",
    "::1",
    "intranet",
    "http://openai.com",
    "https://api.openai.com:8080",
    "openai.com:8080",
    "all://",
    "",
    " ",
]


def goes_through_proxy(client: httpx.AsyncClient) -> list[bool]:
    """For each URL whether the client would ask a proxy."""
    direct = client._transport
    return [client._transport_for_url(httpx.URL(url)) is not direct for url in URLS]


@given(
    st.dictionaries(
        st.sampled_from(["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        st.sampled_from([PROXY, "proxy.test:3128", "https://proxy.test", ""]),
    ),
    st.lists(st.sampled_from(NO_PROXY), max_size=4),
    st.sampled_from(["NO_PROXY", "no_proxy"]),
)
def test_every_setting_leads_where_httpx_would_lead(
    proxies: dict[str, str], excluded: list[str], variable: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**proxies, variable: ",".join(excluded)}.items():
            patch.setenv(name, value)
        theirs = httpx.AsyncClient(verify=False)
        mounts = {
            pattern: None if proxy is None else httpx.AsyncHTTPTransport(proxy=proxy, verify=False)
            for pattern, proxy in proxy_mounts(getproxies()).items()
        }
        ours = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=False), mounts=mounts)
        assert goes_through_proxy(ours) == goes_through_proxy(theirs)


@pytest.mark.parametrize("excluded", ["*", "openai.com, *", "*,x"])
def test_a_star_switches_all_proxies_off(excluded: str) -> None:
    assert proxy_mounts({"http": PROXY, "https": PROXY, "no": excluded}) == {}


def test_the_mounts_by_example() -> None:
    settings = {"http": "proxy.test:3128", "all": "socks5://proxy.test", "ftp": PROXY, "no": " .a.test, b.test,::1"}
    assert proxy_mounts(settings) == {
        "http://": PROXY,
        "all://": "socks5://proxy.test",
        "all://*.a.test": None,
        "all://*b.test": None,
        "all://[::1]": None,
    }


def test_a_block_of_ipv6_addresses_does_not_break_the_client() -> None:
    """httpx itself refuses to be made with such a setting."""
    mounts = proxy_mounts({"https": PROXY, "no": "2001:db8::/32,fd00::/8"})
    assert mounts == {"https://": PROXY, "all://[2001:db8::]": None, "all://[fd00::]": None}
    httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=False), mounts=dict.fromkeys(mounts))


def test_without_settings_there_are_none() -> None:
    assert proxy_mounts({}) == {}
