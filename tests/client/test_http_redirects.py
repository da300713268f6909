"""Which redirects a POST follows."""

from __future__ import annotations

import pytest

from codex_client.client.redirects import MAX_REDIRECTS, redirect_location, redirect_target
from codex_client.errors import RedirectError

pytestmark = pytest.mark.usefixtures("transport")

HERE = "https://api.test/v1/responses"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_redirect_status_with_a_place(status: int) -> None:
    assert redirect_location(status, {"location": "/there"}) == "/there"
    assert redirect_location(status, {"location": ""}) is None
    assert redirect_location(status, {}) is None


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 400, 500])
def test_a_place_with_another_status_is_no_redirect(status: int) -> None:
    assert redirect_location(status, {"location": "/there"}) is None


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    "origin, location, target",
    [
        (HERE, "https://api.test/v2/responses", "https://api.test/v2/responses"),
        (HERE, "/v2/responses", "https://api.test/v2/responses"),
        (HERE, "other", "https://api.test/v1/other"),
        (HERE, "?again=1", "https://api.test/v1/responses?again=1"),
        (HERE, " /v1/responses/ ", "https://api.test/v1/responses/"),
        (HERE, "https://API.test:443/v2", "https://API.test:443/v2"),
        (HERE, "/v2#part", "https://api.test/v2"),
        (HERE, "//api.test/v2", "https://api.test/v2"),
        ("http://api.test/v1", "https://api.test/v1", "https://api.test/v1"),
        ("http://localhost:8080/v1", "https://localhost:8443/v1", "https://localhost:8443/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v2", "http://[::1]:8080/v2"),
    ],
)
def test_the_same_server_is_followed_and_so_is_its_tls(status: int, origin: str, location: str, target: str) -> None:
    assert redirect_target(status, location, [origin]) == target


@pytest.mark.parametrize(
    "status, origin, location, why",
    [
        (301, HERE, "/v2", "which would drop the request's body"),
        (302, HERE, "/v2", "which would drop the request's body"),
        (303, HERE, "/v2", "which would drop the request's body"),
        (307, HERE, "https://evil.test/v1/responses", "which is another server"),
        (307, HERE, "//evil.test/v1", "which is another server"),
        (307, HERE, "https://sub.api.test/v1", "which is another server"),
        (307, HERE, "https://api.test:8443/v1", "which is another server"),
        (307, "http://api.test/v1", "http://api.test:8080/v1", "which is another server"),
        (307, HERE, "https://api.test.evil.test/v1", "which is another server"),
        (308, HERE, "http://api.test/v1/responses", "which gives up TLS"),
        (308, HERE, "ftp://api.test/v1", "which is no HTTP"),
        (308, HERE, "javascript:alert(1)", "which is no HTTP"),
        (308, HERE, "https://user@api.test/v1", "with credentials in the address"),
        (308, HERE, "https://:secret-word@api.test/v1", "with credentials in the address"),
        (307, HERE, HERE, "where it has been before: a loop"),
        (307, HERE, "", "where it has been before: a loop"),
    ],
)
def test_everything_else_is_refused_with_its_reason(status: int, origin: str, location: str, why: str) -> None:
    with pytest.raises(RedirectError) as caught:
        redirect_target(status, location, [origin])
    assert why in str(caught.value)
    assert "set base_url" in str(caught.value)
    assert "secret-word" not in str(caught.value)
    assert not caught.value.retryable


def test_the_refusal_names_the_place_without_its_query() -> None:
    with pytest.raises(RedirectError) as caught:
        redirect_target(302, "https://login.test/start?token=canary-1234#canary-5678", [f"{HERE}?key=canary-9999"])
    assert caught.value.url == "https://login.test/start"
    assert str(caught.value) == (
        f"{HERE} redirects (status 302) to https://login.test/start, which would drop the request's body; "
        "set base_url to where the API is"
    )


@pytest.mark.parametrize("location", ["http://[broken", "https://api.test:port/v1", "https://api.test:99999/v1"])
def test_a_place_that_is_no_url_is_refused(location: str) -> None:
    with pytest.raises(RedirectError, match="an address that is no URL") as caught:
        redirect_target(307, location, [HERE])
    assert caught.value.url == HERE


def test_five_are_followed_and_no_more() -> None:
    visited = [HERE]
    for number in range(MAX_REDIRECTS):
        visited.append(redirect_target(307, f"/hop/{number}", visited))
    with pytest.raises(RedirectError, match="after 5 redirects"):
        redirect_target(307, "/one/more", visited)


def test_a_circle_over_several_places_is_seen_when_it_closes() -> None:
    visited = [HERE, "https://api.test/a", "https://api.test/b"]
    with pytest.raises(RedirectError, match="a loop"):
        redirect_target(308, "/v1/responses", visited)
