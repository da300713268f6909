"""`codex-client login --no-browser` on whichever port is free; the issuer's own ports may be another program's."""

from __future__ import annotations

from dataclasses import replace

from codex_client.cli.app import app
from codex_client.cli.surroundings import Surroundings
from codex_client.credentials.accounts import local_issuer

if __name__ == "__main__":
    app(["login", "--no-browser"], obj=Surroundings(issuer=replace(local_issuer(), ports=(0,))))
