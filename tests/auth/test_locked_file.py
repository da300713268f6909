"""A document that processes share: whole or not at all, one writer at a time, nobody else's business."""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from codex_client.auth.locked_file import LockedFile, exclusive
from codex_client.errors import MissingExtraError, TokenStoreError
from codex_client.testing import ManualClock
from tests.support.secrecy import assert_unseen, everything_of

SECRET = "canary-in-a-document-0815"
posix_only = pytest.mark.skipif(os.name != "posix", reason="rights are POSIX")


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def written(path: Path, document: dict[str, Any], *, durable: bool = True) -> LockedFile:
    file = LockedFile(path)
    async with file.locked():
        await file.write(document, durable=durable)
    return file


async def test_a_file_that_is_not_there_is_no_document(tmp_path: Path) -> None:
    assert LockedFile(tmp_path / "none.json").read() is None


@pytest.mark.parametrize("durable", [True, False])
async def test_what_was_written_is_read(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "doc.json"
    file = await written(path, {"a": [1, "ü"]}, durable=durable)
    assert file.read() == LockedFile(path).read() == {"a": [1, "ü"]}
    assert sorted(each.name for each in path.parent.iterdir()) == ["doc.json", "doc.json.lock"]


@posix_only
async def test_the_file_is_its_owners_alone_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(rights(Path(source)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    before = os.umask(0)
    try:
        await written(tmp_path / "new" / "doc.json", {})
    finally:
        os.umask(before)
    assert seen == [0o600]
    assert rights(tmp_path / "new") == 0o700
    assert {rights(each) for each in (tmp_path / "new").iterdir()} == {0o600}


@posix_only
async def test_rights_that_are_too_wide_are_taken_back_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "doc.json"
    path.write_text("{}")
    path.chmod(0o644)
    assert LockedFile(path).read() == {}
    assert rights(path) == 0o600
    assert LockedFile(path).read() == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was open to other users (644)" in caplog.text


@posix_only
async def test_rights_that_cannot_be_taken_back_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "doc.json"
    path.write_text("{}")
    path.chmod(0o640)

    def refused(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    assert LockedFile(path).read() == {}
    assert "stays so: Operation not permitted" in caplog.text


@posix_only
async def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "doc.json", tmp_path / "link.json"
    real.parent.mkdir()
    link.symlink_to(real)
    await written(link, {"a": 1})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"a": 1}


@posix_only
async def test_a_file_and_a_link_to_it_have_one_lock(tmp_path: Path) -> None:
    real, link = tmp_path / "doc.json", tmp_path / "link.json"
    link.symlink_to(real)
    async with LockedFile(real).locked():
        with pytest.raises(TokenStoreError, match="has held"):
            async with LockedFile(link, wait_limit=1, clock=ManualClock(auto_advance=True)).locked():
                pytest.fail("two holders")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe\x00", b"[" * 100_000])
async def test_a_broken_file_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "doc.json"
    path.write_bytes(content)
    with pytest.raises(TokenStoreError, match=r"doc\.json holds no JSON object and was left as it is; restore"):
        LockedFile(path).read()
    assert path.read_bytes() == content


async def test_a_path_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="could not be read"):
        LockedFile(tmp_path).read()


async def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenStoreError, match=r"doc\.json could not be read: Not a directory"):
        LockedFile(tmp_path / "file" / "doc.json").read()


async def test_a_folder_that_cannot_be_entered_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refused)
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(TokenStoreError, match="could not be read: Permission denied; see to its rights"):
        LockedFile(tmp_path / "doc.json").read()


async def test_two_instances_and_their_tasks_exclude_each_other(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "doc.json", 0, 0

    async def count() -> None:
        nonlocal inside, most
        file = LockedFile(path)
        async with file.locked():
            inside += 1
            most = max(most, inside)
            document = file.read() or {"count": 0}
            await anyio.lowlevel.checkpoint()
            await file.write({"count": document["count"] + 1}, durable=False)
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(count)
    assert (most, LockedFile(path).read()) == (1, {"count": 10})


async def test_one_instance_excludes_its_own_tasks(tmp_path: Path) -> None:
    file, order = LockedFile(tmp_path / "doc.json"), list[str]()

    async def enter(name: str) -> None:
        async with file.locked():
            order.append(f"{name} in")
            await anyio.lowlevel.checkpoint()
            order.append(f"{name} out")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enter, "a")
        tasks.start_soon(enter, "b")
    assert [each[:1] for each in order] in (list("aabb"), list("bbaa"))


async def test_processes_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "doc.json"
    script = (
        "import sys, filelock\n"
        "with filelock.FileLock(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    async with await anyio.open_process([sys.executable, "-c", script, f"{path}.lock"]) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert (await holder.stdout.receive()).startswith(b"held")
        with pytest.raises(TokenStoreError, match="another task or process"):
            async with LockedFile(path, wait_limit=1, clock=ManualClock(auto_advance=True)).locked():
                pytest.fail("two holders")
        await holder.stdin.aclose()
        async with LockedFile(path).locked():
            pass
        assert await holder.wait() == 0


async def test_the_wait_for_a_lock_ends_and_says_what_to_do(tmp_path: Path) -> None:
    path, clock = tmp_path / "doc.json.lock", ManualClock(auto_advance=True)
    async with exclusive(path):
        with pytest.raises(TokenStoreError) as caught:
            async with exclusive(path, wait_limit=60.0, clock=clock):
                pytest.fail("two holders")
    assert str(caught.value) == (
        f"another task or process has held {path} for 60.0 s; it may be waiting for the issuer, or be stopped: find it "
        "(`fuser` names it on Linux) and end it, then try again"
    )
    assert 60 <= sum(clock.sleeps) < 61


async def test_the_wait_for_a_lock_can_be_cancelled_and_leaves_no_holder(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.lock", ManualClock()

    async def wait() -> None:
        async with exclusive(path, clock=clock):
            pytest.fail("entered")

    async with exclusive(path), anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await clock.wait_for_timer()
        tasks.cancel_scope.cancel()
    async with exclusive(path, wait_limit=0):
        pass


async def test_a_lock_is_asked_for_soon_at_first_and_never_in_step(tmp_path: Path) -> None:
    path, clocks = tmp_path / "x.lock", [ManualClock(auto_advance=True) for _ in range(2)]
    async with exclusive(path):
        for clock in clocks:
            with pytest.raises(TokenStoreError):
                async with exclusive(path, wait_limit=1.0, clock=clock):
                    pytest.fail("two holders")
    one, other = ([*clock.sleeps] for clock in clocks)
    assert one[0] <= 0.001
    assert 0.02 < max(one) <= 0.05
    assert one != other


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_writer_that_is_cancelled_frees_the_lock_only_when_it_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, writing, go_on = tmp_path / "doc.json", threading.Event(), threading.Event()
    replace = os.replace

    def slow(source: Path, target: Path) -> None:
        writing.set()
        assert go_on.wait(10)
        replace(source, target)

    monkeypatch.setattr(os, "replace", slow)
    task = asyncio.ensure_future(written(path, {"a": 1}))
    assert await anyio.to_thread.run_sync(writing.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(TokenStoreError, match="has held"):
        async with LockedFile(path, wait_limit=0).locked():
            pytest.fail("two writers")
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LockedFile(path).read() == {"a": 1}
    async with LockedFile(path, wait_limit=0).locked():
        pass


async def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with exclusive(tmp_path / "x.lock"):
            raise ZeroDivisionError
    async with exclusive(tmp_path / "x.lock", wait_limit=0):
        pass


async def test_writing_without_the_lock_is_refused(tmp_path: Path) -> None:
    file = LockedFile(tmp_path / "doc.json")
    with pytest.raises(RuntimeError, match="outside of"):
        await file.write({})
    async with file.locked():
        pass
    with pytest.raises(RuntimeError, match="outside of"):
        await file.write({})
    assert file.read() is None


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("broken", ["replace", "fsync"])
async def test_a_write_that_fails_leaves_the_old_document_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, broken: str
) -> None:
    file = await written(tmp_path / "doc.json", {"old": True})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    if broken == "fsync" and not durable:
        async with file.locked():
            await file.write({"new": True}, durable=False)
        assert file.read() == {"new": True}
        return
    with pytest.raises(
        TokenStoreError, match="could not be written: No space left on device; see to the disk"
    ) as caught:
        async with file.locked():
            await file.write({"token": SECRET}, durable=durable)
    assert file.read() == {"old": True}
    assert sorted(os.listdir(tmp_path)) == ["doc.json", "doc.json.lock"]
    assert_unseen(everything_of(caught.value), [SECRET])


async def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".doc.json.new").write_text("half a docu")
    file = await written(tmp_path / "doc.json", {"a": 1})
    assert file.read() == {"a": 1}
    assert sorted(os.listdir(tmp_path)) == ["doc.json", "doc.json.lock"]


async def test_a_durable_write_waits_for_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await written(tmp_path / "doc.json", {})
    assert synced == [False, True]
    await written(tmp_path / "doc.json", {}, durable=False)
    assert synced == [False, True]


async def test_the_content_of_a_broken_file_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "doc.json"
    path.write_text(f'{{"token": "{SECRET}", ')
    with pytest.raises(TokenStoreError) as caught:
        LockedFile(path).read()
    assert_unseen(everything_of(caught.value), [SECRET])


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenStoreError, match="could not be made"):
        async with LockedFile(tmp_path / "file" / "doc.json").locked():
            pytest.fail("entered")


async def test_a_lock_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "doc.json.lock").mkdir()
    with pytest.raises(TokenStoreError, match="could not be locked"):
        async with LockedFile(tmp_path / "doc.json").locked():
            pytest.fail("entered")


async def test_without_filelock_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "filelock":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        MissingExtraError, match=r"'filelock' and 'platformdirs'; pip install 'codex-client\[acc"
    ) as caught:
        LockedFile(tmp_path / "doc.json")
    assert caught.value.extra == "accounts"


def test_its_repr_is_its_path(tmp_path: Path) -> None:
    assert repr(LockedFile(tmp_path / "a.json")) == f"LockedFile({str(tmp_path / 'a.json')!r})"
