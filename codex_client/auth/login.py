"""The conversations of a login. They talk to the issuer only: showing, asking and opening pages is for the caller."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Mapping

from codex_client.auth.device_code import DeviceCode, expired_device_code
from codex_client.auth.login_handle import HANDLE_LIFETIME, Callback, LoginHandle
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.pkce import Pkce, RandomBytes, new_state
from codex_client.auth.tokens import TokenSet
from codex_client.errors import LoginError

# Where nobody listens any port will do that the issuer knows.
_PASTE_PORT = 1455
_CI = ("CI", "BUILDKITE", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD")
# Not SSH_AUTH_SOCK: every desktop with an agent has that one.
_SSH = ("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY")
_CONTAINER = ("container", "KUBERNETES_SERVICE_HOST")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")

_log = logging.getLogger("codex_client")


class BrowserLogin:
    """A login through a browser, on this machine or any other.

    `start` gives the URL to open. The answer comes to a `CallbackListener` on this machine, or the user pastes it:
    `complete`. Between the two the login may move to another process, as `handle.to_json()`.
    """

    def __init__(
        self,
        oauth: OAuthClient,
        *,
        handle: LoginHandle | None = None,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self.handle: LoginHandle | None = handle
        self._oauth = oauth
        self._random_bytes = random_bytes

    def start(self, *, redirect_uri: str | None = None) -> LoginHandle:
        """A new login, which takes the place of an earlier one of this object. `redirect_uri`: a listener's."""
        issuer = self._oauth.issuer
        self.handle = LoginHandle.start(
            issuer,
            pkce=Pkce.generate(self._random_bytes),
            state=new_state(self._random_bytes),
            redirect_uri=redirect_uri or issuer.redirect_uri(issuer.ports[0] or _PASTE_PORT),
            now=self._oauth.clock.time(),
        )
        return self.handle

    async def complete(self, text: str) -> TokenSet:
        """The tokens for what the user pasted: the address after the login, its query, `code#state`, or the bare code.

        A bare code is taken without the check that it belongs to this login, and a warning is logged. Raises
        `LoginError`, which says what to do, or a `TransportError`; after a typing error the same login may be completed
        again.
        """
        callback = Callback() if self.handle is None else self.handle.read_paste(text)
        # From here on things are raised, and a traceback with locals shows what is bound.
        del text
        if callback.is_unchecked:
            _log.warning(
                "the pasted code came without its state, so nothing shows that it belongs to this login; "
                "paste the whole address if you can"
            )
        return await self.redeem(callback)

    async def redeem(self, callback: Callback) -> TokenSet:
        """The tokens for an answer that was read. Raises `LoginError` for its problem."""
        handle = self._running()
        if callback.code is None:
            raise LoginError(callback.problem or "the login gave no code; start it again")
        tokens = await self._oauth.exchange_code(
            callback.code, verifier=handle.verifier, redirect_uri=handle.redirect_uri
        )
        # One code, one exchange: a second answer to the same URL is of no use.
        self.handle = None
        return tokens

    def _running(self) -> LoginHandle:
        handle, issuer = self.handle, self._oauth.issuer
        if handle is None:
            raise LoginError("no login is under way, or it was completed already; start one first")
        if (handle.issuer, handle.client_id) != (issuer.url, issuer.client_id):
            raise LoginError(f"this login was started at {handle.issuer}; complete it with the same issuer and client")
        if handle.has_expired(self._oauth.clock.time()):
            raise LoginError(f"the login was not completed within {HANDLE_LIFETIME / 60:.0f} minutes; start it again")
        return handle


class DeviceLogin:
    """A login on another device, for machines without a browser: show `page`, `user_code` and `DEVICE_WARNING`, wait.

    For a login under way in another process use `OAuthClient.poll_device_code`.
    """

    def __init__(self, oauth: OAuthClient) -> None:
        self.code: DeviceCode | None = None
        self._oauth = oauth

    async def start(self) -> DeviceCode:
        """A code for the user to type. Raises `LoginError` where the issuer gives none, or a `TransportError`."""
        self.code = await self._oauth.request_device_code()
        return self.code

    async def complete(self) -> TokenSet:
        """Wait until the user has agreed. Raises `LoginError` where he refused, or the code's time is over."""
        if self.code is None:
            raise LoginError("no login is under way; start one first")
        clock = self._oauth.clock
        while (left := self.code.expires_at - clock.time()) > 0:
            await clock.sleep(min(self.code.interval, left))
            tokens = await self._oauth.poll_device_code(self.code)
            if tokens is not None:
                self.code = None
                return tokens
        raise expired_device_code(self.code)


def is_headless(
    environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform, in_container: bool = False
) -> bool:
    """Whether a browser opened here would most likely be seen by nobody. Pure; see `runs_in_container`."""
    if in_container or any(environ.get(name) for name in (*_SSH, *_CONTAINER)):
        return True
    if any(environ.get(name, "").lower() not in ("", "0", "false") for name in _CI):
        return True
    if platform == "win32":
        return environ.get("SESSIONNAME", "").lower() == "services"
    has_display = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return platform != "darwin" and not has_display


def runs_in_container(files: tuple[str, ...] = _CONTAINER_FILES) -> bool:
    """Whether Docker or Podman has left its mark on the file system."""
    return any(os.path.exists(file) for file in files)


def login_hints(*, headless: bool) -> tuple[str, ...]:
    """The ways to log in from here, the best first, each a sentence for the user."""
    paste = "Open the URL in a browser on any machine, log in, and paste the address that the browser shows then."
    device = "Or log in with a code that you type on another device; ChatGPT's security settings must allow it."
    if headless:
        return (paste, device)
    return ("Open the URL in a browser on this machine and log in; the rest happens by itself.",)
