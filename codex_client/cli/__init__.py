"""The command line `codex-client`. Needs the extra [cli]."""

from __future__ import annotations

import sys

from codex_client.errors import MissingExtraError

_EXTRA = ("rich", "typer")


def main() -> None:
    """The entry point: runs the command in `sys.argv` and ends the program with its exit status."""
    try:
        from codex_client.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        print(missing_extra(error.name).message, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="codex-client")


def missing_extra(package: str) -> MissingExtraError:
    """What is said where a package of the extra is not installed."""
    return MissingExtraError(
        f"the command line needs the package {package!r}; pip install 'codex-client[cli]'", extra="cli"
    )
