"""`python -m codex_client.cli`."""

from __future__ import annotations

from codex_client.cli import main

main()
