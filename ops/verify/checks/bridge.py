"""Whether jicofo sees a bridge that works."""

from __future__ import annotations

from typing import Final

from ops.verify.context import NO_DOCKER, Context, NoDocker
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped

_STATS: Final = "http://127.0.0.1:8888/stats"
"""jicofo's statistics (jicofo, Application.kt); the port is open inside its container only."""


async def check(context: Context) -> Result:
    """Asks jicofo inside its container for the number of bridges, and of operational ones."""
    try:
        stats = await context.curl_json("jicofo", _STATS)
    except NoDocker as error:
        return skipped(f"jicofo cannot be asked: {error}", NO_DOCKER)
    except Unreachable as error:
        return failed(f"jicofo: {error}", f"look into its log: {context.stack.logs('jicofo')}")
    selector = stats.get("bridge_selector")
    counts = selector if isinstance(selector, dict) else {}
    total, good = counts.get("bridge_count"), counts.get("operational_bridge_count")
    if not isinstance(total, int) or not isinstance(good, int):
        return skipped("this jicofo does not tell its bridges")
    if good > 0:
        return ok(f"jicofo sees {good} of {total} bridges working")
    log = context.stack.logs("jvb")
    if total > 0:
        return failed(
            f"jicofo sees {total} bridges, and none works", f"restart the bridge and look into its log: {log}"
        )
    return failed(
        "jicofo sees no bridge", f"jvb is not in the brewery: is its password prosody's (bring the stack up)? {log}"
    )
