"""Runs the checks side by side within the time limit, and shows what they found.

Owns the deadline, the exit code and both forms of output. Judges nothing itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
import time
from collections.abc import Mapping
from typing import Final

from components.config.addresses import is_docker_url
from ops.errors import OpsError
from ops.verify import deployed
from ops.verify.checks import CHECKS, Check
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from ops.verify.net import Unreachable
from ops.verify.result import Result, Status, failed

_TIDY_SECONDS: Final = 0.5
"""For a check that ran out of time to leave its room."""
_LONGEST: Final = 600.0
_USAGE: Final = 2


def run(
    stack: str,
    *,
    outputs: str | None,
    address: str | None,
    docker_host: str | None,
    time_limit: float,
    statistics: bool,
    as_json: bool,
) -> int:
    """Runs every check and prints a line each: 0 where none failed, 1 otherwise, 2 for arguments that cannot be used.

    Raises:
        OpsError: where the stack's outputs cannot be read.
    """
    problem = _misuse(address, docker_host, time_limit)
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
        return _USAGE
    start = time.monotonic()
    found = deployed.read(stack, outputs, time_limit, docker_host)
    left = max(1.0, time_limit - (time.monotonic() - start))
    context = Context(found, address, statistics=statistics, time_limit=left)
    results = asyncio.run(examine(context))
    seconds = time.monotonic() - start
    lines = _as_json(stack, found, results, seconds) if as_json else _as_text(found, results, seconds)
    print(lines)
    return int(any(one.status is Status.FAILED for one in results.values()))


def _misuse(address: str | None, docker_host: str | None, time_limit: float) -> str | None:
    if not 1 <= time_limit <= _LONGEST:
        return f"--time-limit is {time_limit:g}, allowed are 1 to {_LONGEST:g} seconds"
    try:
        ipaddress.ip_address(address or "::1")
    except ValueError:
        return f"--address is {address!r}, allowed is an IP address, such as 192.0.2.10"
    if docker_host is not None and not is_docker_url(docker_host):
        return "--docker-host is no URL that docker takes, such as unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"
    return None


async def examine(context: Context, checks: Mapping[str, Check] = CHECKS) -> dict[str, Result]:
    """The results by name, after at most the context's time limit and half a second to tidy up."""
    tasks = {name: asyncio.ensure_future(_guarded(check, context)) for name, check in checks.items()}
    await asyncio.wait(tasks.values(), timeout=context.time_limit)
    late = [task for task in tasks.values() if not task.done()]
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_TIDY_SECONDS)
    return {name: _shown(context, _result(task, task in late, context)) for name, task in tasks.items()}


async def _guarded(check: Check, context: Context) -> Result:
    """A check whose own steps failed to say why is still one line, not a traceback."""
    try:
        return await check(context)
    except (Unreachable, OpsError) as error:
        return failed(str(error), "look into the log of the service that is asked")
    except Exception as error:
        return failed(f"the check itself broke: {type(error).__name__}: {error}", "please report this as a bug")


def _result(task: asyncio.Task[Result], late: bool, context: Context) -> Result:
    if not late and not task.cancelled():
        return task.result()
    return failed(
        f"not done within the time limit of {context.time_limit:.0f} s",
        "something on the way takes connections and does not answer; --time-limit S gives more time",
    )


def _shown(context: Context, result: Result) -> Result:
    return Result(result.status, context.hide(result.detail), context.hide(result.fix))


def _as_text(stack: DeployedStack, results: Mapping[str, Result], seconds: float) -> str:
    lines = [stack.origin]
    for name, result in results.items():
        lines.append(f"  {result.status.value:<8} {name:<12} {result.detail}")
        if result.fix and result.status is not Status.OK:
            lines.append(f"{'':<24} -> {result.fix}")
    counts = {status: sum(one.status is status for one in results.values()) for status in Status}
    summary = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)
    return "\n".join([*lines, f"{summary}; {seconds:.1f} s"])


def _as_json(name: str, stack: DeployedStack, results: Mapping[str, Result], seconds: float) -> str:
    content = {
        "stack": name,
        "publicUrl": stack.origin,
        "ok": not any(one.status is Status.FAILED for one in results.values()),
        "seconds": round(seconds, 1),
        "checks": [
            {"name": name, "status": one.status.value, "detail": one.detail, "fix": one.fix}
            for name, one in results.items()
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)
