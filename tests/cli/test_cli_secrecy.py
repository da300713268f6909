"""What commands say, in whatever way they end, shows no token, code, verifier or e-mail address but to the user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_client.cli import login_forms
from codex_client.cli.login import keep
from codex_client.cli.output import write_private
from codex_client.cli.surroundings import Surroundings
from codex_client.errors import CodexError, LoginError
from codex_client.testing import Reply
from tests.support.command_line import CommandLine, Person, Screen, address_in, terminal_console
from tests.support.kept_secrets import assert_kept
from tests.support.secrecy import assert_unseen

CANARY = "canary-4711-secret"


def around(line: CommandLine, **changes: Any) -> Surroundings:
    line.screen = Screen()
    console = terminal_console(line.screen)
    return Surroundings(out=console, err=console, clock=line.clock, open_browser=line.log_in, **changes)


def raised(work: Callable[[], object]) -> CodexError:
    with pytest.raises(CodexError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize("fault", ["issuer", "store"])
@pytest.mark.parametrize("form", ["callback", "paste", "device"])
def test_a_login_that_fails_shows_no_secret_in_its_error(line: CommandLine, form: str, fault: str):
    line.server.add_account()
    if fault == "issuer":
        line.server.fail("POST /oauth/token", Reply.error(400, "no", code="invalid_grant"))
    else:
        line.home.mkdir()
        (line.home / "accounts.json").write_text("not JSON")
    person = Person(line, lambda screen: line.server.visit(address_in(screen)))
    here, issuer = around(line, stdin=person), line.server.issuer
    if form == "callback":
        error = raised(lambda: login_forms.by_callback(here, issuer=issuer, within=300, opens=True, keep=keep))
    elif form == "paste":
        error = raised(lambda: login_forms.by_paste(here, issuer=issuer, keep=keep))
    else:
        line.clock.on_sleep = lambda _: line.server.approve(line.shown.split("code ")[1].split()[0])
        error = raised(lambda: login_forms.by_device(here, issuer=issuer, within=None, keep=keep))
    assert isinstance(error, LoginError) is (fault == "issuer")
    assert len(line.server.secrets) >= 2
    assert_kept(line.server.secrets, error)


def test_a_second_step_that_fails_shows_no_secret_in_its_error(line: CommandLine, tmp_path: Path):
    line.server.add_account()
    file = tmp_path / "login.json"
    login_forms.start_paste(around(line), issuer=line.server.issuer, path=file)
    line.server.fail("POST /oauth/token", Reply.error(400, "no", code="invalid_grant"))
    here = around(line, stdin=Person(line))
    assert here.stdin is not None
    here.stdin.write(line.server.visit(address_in(_url_in(file))))
    here.stdin.seek(0)
    error = raised(lambda: login_forms.complete_paste(here, issuer=line.server.issuer, path=file, keep=keep))
    assert_kept(line.server.secrets | {_verifier_in(file)}, error)


def test_a_private_file_that_cannot_be_written_shows_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class FullDisk:
        def __init__(self, descriptor: int, *_: Any, **__: Any) -> None:
            os.close(descriptor)

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None: ...

        def write(self, text: str) -> None:
            # The real one has no frame.
            del text
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("codex_client.cli.output.open", FullDisk, raising=False)
    file = tmp_path / "export.env"
    error = raised(lambda: write_private(file, lambda: CANARY))
    assert str(error).startswith(f"{file} could not be written: No space left on device")
    assert not file.exists()
    assert_kept([CANARY], error)


def test_a_private_file_whose_text_cannot_be_made_leaves_nothing(tmp_path: Path):
    def make() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_private(tmp_path / "export.env", make)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_program_shows_a_traceback_without_locals():
    code = f"""
import sys
from codex_client.cli import accounts, main
async def broken(around, **_):
    token = {CANARY[::-1]!r}[::-1]
    raise RuntimeError("a fault")
accounts._accounts.__code__ = broken.__code__
sys.argv = ["codex-client", "accounts"]
main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "RuntimeError: a fault" in ended.stderr
    assert_unseen(ended.stderr.replace(CANARY[::-1], ""), [CANARY])


def _url_in(file: Path) -> str:
    return str(_handle(file)["url"])


def _verifier_in(file: Path) -> str:
    return str(_handle(file)["verifier"])


def _handle(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())
