"""Whether the bridge is at the media ports that it advertises.

A bridge answers nobody who has no credentials of a call (ice4j takes a datagram by its username alone), so a call of
two is held: jicofo then offers each the bridge, with what a browser needs for its first packet there. Where there is no
such offer, silence tells nothing, for a firewall that drops is silent too; a port that refuses, though, is certainly
shut.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Final

from components.config.addresses import is_private
from ops.verify import net, stun
from ops.verify.checks.rooms import SEE_SIGN_IN, TEST_ROOM, opened
from ops.verify.context import NO_HTTPS, Context, new_room
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped, warning
from ops.verify.streams import StreamClosed
from ops.verify.xmpp import Client, Offer, Refused, visit, visit_if_let_in

_TRIES: Final = 4
_PAUSE: Final = 0.4
_OFFER_SECONDS: Final = 7.0
"""jicofo makes its offer at once, the first after its start a few seconds after the second participant came."""

_ANSWERED: Final = "answered"
_REFUSED: Final = "refused"
_SILENT: Final = "is silent"
_ANOTHER: Final = "is answered by something else"
_FAULTS: Final = {
    _REFUSED: "nothing listens at UDP {}",
    _SILENT: "the bridge does not answer at UDP {}",
    _ANOTHER: "something other than the bridge answers at UDP {}",
}
"""What is wrong at addresses; every other outcome says that one could not be tried from here."""


async def check(context: Context) -> Result:
    """Sends to each advertised address what a browser in a call sends first; without a call, a request without credentials."""
    stack = context.stack
    advertised = list(stack.media)
    if not advertised:
        return skipped("the bridge advertises no address", "set dockerHostAddress, so that other machines get media")
    without_call = asyncio.ensure_future(_probe_all(advertised))  # while it waits for the call, which may not come
    try:
        found = await _in_call(context, advertised) if stack.tokens else ""
        if isinstance(found, str):
            return judge_without_call(await without_call, found)
    finally:
        without_call.cancel()
    return judge_call(found, [where for where in found if _is_here(where)])


async def _in_call(context: Context, advertised: list[str]) -> dict[str, str] | str:
    """What `probe` finds with the credentials of a call of two, which then ends; or why there was no such call."""
    if not await context.has_https():
        return NO_HTTPS
    room = new_room(TEST_ROOM)
    moderator = await visit_if_let_in(context, room, context.token(room, moderator=True))
    if moderator is None:
        return SEE_SIGN_IN
    async with moderator:
        if await opened(context, moderator, room) is not None:
            return "no call (see moderator)"
        try:
            async with await visit(context, room, context.token(room)) as second:
                await second.enter(room)
                async with _listening(moderator, second):
                    return await _probe_by_offer(second, advertised)
        except (Refused, Unreachable, StreamClosed) as error:
            return f"a second participant does not get into the room ({error})"
        finally:
            with contextlib.suppress(Refused, Unreachable, StreamClosed):  # else it leaves, and the room ends
                await moderator.destroy_room()


async def _probe_by_offer(client: Client, advertised: list[str]) -> dict[str, str] | str:
    try:
        offer = await net.with_timeout(client.offer(), _OFFER_SECONDS)
    except Unreachable:
        return "jicofo offers no bridge to a call of two"
    return await _probe_offered(offer, advertised)


@contextlib.asynccontextmanager
async def _listening(*clients: Client) -> AsyncIterator[None]:
    """All listen at once, for jicofo asks each what it can do before it makes its offers."""
    tasks = [asyncio.ensure_future(client.listen()) for client in clients]
    try:
        yield
    finally:
        running = set(tasks)
        while running:  # asyncio.wait_for loses a cancellation that comes as its step ends (Python before 3.12)
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=_PAUSE)
        await asyncio.gather(*tasks, return_exceptions=True)


async def _probe_offered(offer: Offer, advertised: list[str]) -> dict[str, str]:
    """The advertised addresses; and of those that the bridge found out itself (stunServers) the ones that answer."""
    further = [where for where in offer.candidates if _is_outer(where) and where not in advertised]
    found = await _probe_all([*advertised, *further], offer)
    return {where: answer for where, answer in found.items() if where in advertised or answer == _ANSWERED}


async def _probe_all(places: list[str], offer: Offer | None = None) -> dict[str, str]:
    return dict(zip(places, await asyncio.gather(*(probe(where, offer) for where in places)), strict=True))


def judge_call(answers: Mapping[str, str], here: Collection[str]) -> Result:
    """The verdict on what `probe` found with the credentials of a call, by IP#PORT.

    Args:
        answers: what was found.
        here: those of them that are this machine's own.
    """
    good = [where for where, answer in answers.items() if answer == _ANSWERED]
    faults = {where: answer for where, answer in answers.items() if answer in _FAULTS}
    untried = "".join(f"; {where} {answer}" for where, answer in answers.items() if where not in {*good, *faults})
    if faults:
        detail = "; ".join(
            text.format(", ".join(where for where, answer in faults.items() if answer == kind))
            for kind, text in _FAULTS.items()
            if kind in faults.values()
        )
        if _are_private_beside_others(faults, answers):
            return warning(
                f"{detail}, a private address, which leads to the bridge only in the Docker host's network",
                "run verify in that network; there it must answer",
            )
        return failed(detail, _fix(faults))
    if not good:
        return skipped(f"cannot be told: UDP {untried.removeprefix('; ')}")
    own = " (this very machine: run verify elsewhere to see the way there, too)" if set(good) <= set(here) else ""
    return ok(f"the bridge answers at UDP {', '.join(good)}{own}{untried}")


def _fix(faults: Mapping[str, str]) -> str:
    if _REFUSED in faults.values():
        return _SHUT
    ports = ", ".join(dict.fromkeys(where.partition("#")[2] for where in faults))
    return (
        f"let UDP {ports} (jvbPort) in through each firewall, have the router forward it, and see that dockerHostAddress "
        "is right; a router may not lead its own network to its outer address: there, run verify from outside"
    )


_SHUT: Final = "does jvb run, is jvbPort published there, does the router forward the port, is dockerHostAddress right?"


def judge_without_call(answers: Mapping[str, str], why: str = "") -> Result:
    """The verdict on what `probe` found without the credentials of a call, by advertised IP#PORT.

    Args:
        answers: what was found.
        why: the reason why there was no call, or empty.
    """
    shut = [where for where, answer in answers.items() if answer == _REFUSED]
    if shut and _are_private_beside_others(shut, answers):
        return warning(
            f"nothing listens at UDP {', '.join(shut)}, a private address, where this network may have another device",
            "run verify in the Docker host's network; there the port must not refuse",
        )
    if shut:
        return failed(f"nothing listens at UDP {', '.join(shut)}", _SHUT)
    if all(answer == _ANSWERED for answer in answers.values()):
        return ok(f"UDP {', '.join(answers)} answers")
    outcomes = "; ".join(f"{where} {answer}" for where, answer in answers.items())
    return skipped(
        f"cannot be told: UDP {outcomes}{f'; {why}' if why else ''}",
        "a bridge answers no request without a call's credentials, and a firewall that drops none: a call of three people "
        "tells",
    )


def _ip(where: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(where.partition("#")[0])


def _are_private_beside_others(places: Collection[str], answers: Mapping[str, str]) -> bool:
    """Whether these lead to the bridge in the Docker host's network alone, and others may from elsewhere."""
    return len(places) < len(answers) and all(is_private(_ip(where)) for where in places)


def _is_outer(where: str) -> bool:
    """Whether it is worth trying where the stack does not know it: no address of a container's network."""
    try:
        return not is_private(_ip(where)) and not _ip(where).is_loopback
    except ValueError:
        return False


def _is_here(where: str) -> bool:
    """Whether it is an address of this machine: then a packet there leaves from it."""
    ip, _, port = where.partition("#")
    with socket.socket(_family(ip), socket.SOCK_DGRAM) as probing:
        try:
            probing.connect((ip, int(port)))
        except OSError:
            return False
        return ipaddress.ip_address(probing.getsockname()[0]) == ipaddress.ip_address(ip)


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET


async def probe(where: str, offer: Offer | None = None) -> str:
    """How an address (IP#PORT) answers a STUN request: with an offer that of a participant, else one without credentials.

    `answered`, `refused` (ICMP port unreachable), `is silent`, `is answered by something else` than the bridge that has
    made the offer, or why it cannot be reached.
    """
    ip, _, port = where.partition("#")
    loop = asyncio.get_running_loop()
    request, outcome = _request(offer), _SILENT
    with socket.socket(_family(ip), socket.SOCK_DGRAM) as probing:
        probing.setblocking(False)
        try:
            probing.connect((ip, int(port)))
            for _ in range(_TRIES):
                await loop.sock_sendall(probing, request)
                try:
                    answer = await asyncio.wait_for(loop.sock_recv(probing, 2048), _PAUSE)
                except TimeoutError:
                    continue
                if offer is None or (stun.is_response_to(request, answer) and stun.has_integrity(answer, _key(offer))):
                    return _ANSWERED
                outcome = _ANOTHER
        except ConnectionRefusedError:
            return _REFUSED
        except OSError as error:
            known = {errno.ENETUNREACH: "has no route from here", errno.EHOSTUNREACH: "is not reachable from here"}
            return known.get(error.errno or 0, "cannot be tried from here")
    return outcome


def _request(offer: Offer | None) -> bytes:
    if offer is None:
        return stun.binding_request()
    return stun.connectivity_check(f"{offer.user_fragment}:{secrets.token_hex(4)}", _key(offer))


def _key(offer: Offer) -> bytes:
    return offer.password.encode()
