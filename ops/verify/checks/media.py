"""Whether something is at the media ports that the bridge advertises.

A bridge answers nobody who has no credentials of a call (ice4j takes a datagram by its username alone), so its
silence tells nothing: a firewall that drops is silent too. A port that refuses, though, is certainly shut.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Mapping
from typing import Final

from components.addresses import is_private
from ops.verify import stun
from ops.verify.context import Context
from ops.verify.result import Result, failed, ok, skipped, warning

_TRIES: Final = 4
_PAUSE: Final = 0.4


async def check(context: Context) -> Result:
    """Sends a STUN binding request to each advertised address."""
    stack = context.stack
    port = stack.setting("jvb", "JVB_PORT", "10000")
    advertised = [
        f"{ip}#{own or port}"
        for ip, _, own in (one.partition("#") for one in stack.setting_list("jvb", "JVB_ADVERTISE_IPS"))
    ]
    if not advertised:
        return skipped("the bridge advertises no address", "set dockerHostAddress, so that other machines get media")
    return judge(dict(zip(advertised, await asyncio.gather(*map(probe, advertised)), strict=True)))


def judge(answers: Mapping[str, str]) -> Result:
    """The verdict on what `probe` found, by advertised IP#PORT."""
    shut = [where for where, answer in answers.items() if answer == "refused"]
    if shut and len(shut) < len(answers) and all(map(_is_private, shut)):
        return warning(
            f"nothing listens at UDP {', '.join(shut)}, a private address, where this network may have another device",
            "run verify in the Docker host's network; there the port must not refuse",
        )
    if shut:
        return failed(
            f"nothing listens at UDP {', '.join(shut)}",
            "does jvb run, is jvbPort published there, does the router forward the port, is dockerHostAddress right?",
        )
    if all(answer == "answered" for answer in answers.values()):
        return ok(f"UDP {', '.join(answers)} answers")
    told = "; ".join(f"{where} {answer}" for where, answer in answers.items())
    return skipped(
        f"cannot be told: UDP {told}",
        "a bridge is silent to strangers, and so is a firewall that drops: a call of three people tells",
    )


def _is_private(where: str) -> bool:
    return is_private(ipaddress.ip_address(where.partition("#")[0]))


async def probe(where: str) -> str:
    """`answered`, `refused` (ICMP port unreachable), `is silent`, or why it cannot be reached; `where` is IP#PORT."""
    ip, _, port = where.partition("#")
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probing:
        probing.setblocking(False)
        try:
            probing.connect((ip, int(port)))
            for _ in range(_TRIES):
                await loop.sock_sendall(probing, stun.binding_request())
                try:
                    await asyncio.wait_for(loop.sock_recv(probing, 2048), _PAUSE)
                except TimeoutError:
                    continue
                return "answered"
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            known = {errno.ENETUNREACH: "has no route from here", errno.EHOSTUNREACH: "is not reachable from here"}
            return known.get(error.errno or 0, "cannot be tried from here")
    return "is silent"
