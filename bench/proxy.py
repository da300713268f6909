"""`python -m bench.proxy NAME PORT UPSTREAM API FOLDER`: a proxy in a process of its own, begun as its users begin it.

UPSTREAM is the base URL that it asks, over API (responses or chat). It writes one line of JSON on stdout: `{"error":
null}` when it accepts connections, or else why it does not. What the proxy itself prints goes to a file in FOLDER, of
which the last line is told where it failed. It ends when its stdin ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from bench.contenders.base import KEY, MODEL
from bench.proxies import GATEWAY, LITELLM_PROXY


def run_gateway(port: int, upstream: str, api: str, folder: Path) -> None:
    """It finds its keys in the environment."""
    from codex_client.cli.app import app

    app(["serve", "--port", str(port), "--base-url", upstream, "--wire-api", api, "--model", MODEL])


def run_litellm(port: int, upstream: str, api: str, folder: Path) -> None:
    """As it comes, with a key to be shown, as the gateway has one: one process, no database. The name of the model
    says over which API it asks.
    """
    from litellm.proxy.proxy_cli import run_server

    model = f"openai/{MODEL}" if api == "chat" else f"openai/responses/{MODEL}"
    parameters = {"model": model, "api_base": upstream, "api_key": KEY}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "general_settings": {"master_key": KEY},
    }
    file = folder / "config.yaml"
    # JSON is YAML.
    file.write_text(json.dumps(config), "utf-8")
    run_server(["--config", str(file), "--host", "127.0.0.1", "--port", str(port)])


_RUN: dict[str, Callable[[int, str, str, Path], None]] = {GATEWAY: run_gateway, LITELLM_PROXY: run_litellm}


def _tell(answers: TextIO, error: str | None) -> None:
    print(json.dumps({"error": error}), file=answers, flush=True)


def _watch(port: int, answers: TextIO) -> None:
    """Tell when the port answers; end the process with its stdin."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    _tell(answers, None)
    sys.stdin.read()
    os._exit(0)


def main(name: str, port: str, upstream: str, api: str, folder: str) -> None:
    printed = Path(folder) / "printed"
    with os.fdopen(os.dup(1), "w") as answers:
        with printed.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        threading.Thread(target=_watch, args=(int(port), answers), daemon=True).start()
        try:
            _RUN[name](int(port), upstream, api, Path(folder))
        except BaseException as error:  # noqa: BLE001
            last = printed.read_text("utf-8", "replace").strip().rpartition("\n")[2]
            _tell(answers, "; ".join(filter(None, [f"{type(error).__name__}: {error}", last])))


if __name__ == "__main__":
    main(*sys.argv[1:])
