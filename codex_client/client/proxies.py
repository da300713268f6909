"""Which proxy an address goes through, by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address


def proxy_mounts(settings: Mapping[str, str]) -> dict[str, str | None]:
    """URL patterns of httpx to the proxy that serves them, None for no proxy.

    `settings` as `urllib.request.getproxies` gives them: `http`, `https`, `all` and `no`. The rules are httpx's own,
    which a client with a transport of its own must bring along: a name in NO_PROXY covers its subdomains, one with a
    leading dot only those; an address and "localhost" cover themselves alone, an address block only its first address;
    `*` switches all proxies off.
    """
    excluded = [host for part in settings.get("no", "").split(",") if (host := part.strip())]
    if "*" in excluded:
        return {}
    proxies = {f"{scheme}://": settings[scheme] for scheme in ("http", "https", "all") if settings.get(scheme)}
    mounts: dict[str, str | None] = {
        pattern: proxy if "://" in proxy else f"http://{proxy}" for pattern, proxy in proxies.items()
    }
    return mounts | {_pattern(host): None for host in excluded}


def _pattern(host: str) -> str:
    """The pattern for one entry of NO_PROXY."""
    if "://" in host:
        return host
    address = host.partition("/")[0]
    if _is_address(address, IPv6Address):
        return f"all://[{address}]"
    if _is_address(address, IPv4Address) or host.lower() == "localhost":
        return f"all://{host}"
    return f"all://*{host}"


def _is_address(text: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
