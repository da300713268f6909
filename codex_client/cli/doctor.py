"""`codex-client doctor`: what is set, which credential would be used, and whether the server can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated

import typer

from codex_client.cli.configuration_checks import (
    Chosen,
    check_credential,
    check_extras,
    check_program,
    check_server,
    check_settings,
)
from codex_client.cli.exits import ExitStatus, run
from codex_client.cli.findings import Finding, Verdict, findings_view, status_of
from codex_client.cli.network_checks import check_proxy, check_route
from codex_client.cli.option_groups import grouped
from codex_client.cli.output import counted, emit_json, say, show
from codex_client.cli.server import Server
from codex_client.cli.server_checks import check_models
from codex_client.cli.surroundings import Surroundings

_REQUEST_CHECKS = ("models", "model", "clock")
_NETWORK_CHECKS = ("names", "connection", "certificate", *_REQUEST_CHECKS)


@grouped
def doctor(
    context: typer.Context,
    server: Server,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the network alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, without secrets.")] = False,
) -> None:
    """Explain the configuration, and look for what is wrong with it.

    Shown are the settings and where they come from, which credential would be used and why, what is installed, and
    whether the server answers; for what is wrong also what to do. The options are those of `stream`. One small request
    is sent, for the list of models. The exit status is that of the first failure.
    """
    run(context, partial(_doctor, server=server, offline=offline, as_json=as_json))


async def _doctor(around: Surroundings, *, server: Server, offline: bool, as_json: bool) -> ExitStatus:
    with around.err.status("looking"):
        findings = await _findings(around, server, offline=offline)
    status = status_of(findings)
    if as_json:
        emit_json(around.out, {"ok": status is ExitStatus.OK, "checks": [each.to_json() for each in findings]})
    else:
        show(around.out, findings_view(findings))
        _say_summary(around, findings)
    return status


async def _findings(around: Surroundings, server: Server, *, offline: bool) -> list[Finding]:
    chosen = Chosen.of(around, server)
    findings = [check_program(), check_extras(), check_settings(), check_server(chosen)]
    if chosen.provider is None:
        return findings
    proxy, route = await check_proxy(chosen.provider.base_url, around.clock)
    findings.append(proxy)
    if route is None:
        return findings + [Finding.skipped(name, "not tried") for name in ("credential", *_NETWORK_CHECKS)]
    async with AsyncExitStack() as opened:
        credential, auth = await check_credential(
            around, chosen.provider, opened, from_environment=chosen.from_environment
        )
        findings.append(credential)
        if offline:
            return findings + [Finding.skipped(name, "offline") for name in _NETWORK_CHECKS]
        way = await check_route(route, around.clock)
        findings += way
        if any(each.verdict is Verdict.FAILED for each in way):
            return findings + [Finding.skipped(name, "not tried") for name in _REQUEST_CHECKS]
        findings += await check_models(chosen.provider, auth, around.clock, model=chosen.model)
    return findings


def _say_summary(around: Surroundings, findings: Sequence[Finding]) -> None:
    failed, notes = (sum(each.verdict is verdict for each in findings) for verdict in (Verdict.FAILED, Verdict.NOTE))
    if failed:
        more = "; mend the first, the others may follow from it" if failed > 1 else ""
        text, style = f"{counted(failed, 'check')} failed{more}", "bold red"
    elif notes:
        text, style = f"nothing stands in the way; {counted(notes, 'note')} may be worth a look", "yellow"
    else:
        text, style = "all is well", "bold green"
    say(around.err, text, style=style)
