"""Whether clients learn of each TURN server, and get a relay address there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import re
import ssl
import time
from dataclasses import dataclass
from typing import Final

from components.config.addresses import is_private
from components.stack import topology
from ops.verify import net, stun
from ops.verify.context import TOKEN_SECONDS, Context, new_room
from ops.verify.deployed import DeployedStack, Turn
from ops.verify.net import Unreachable, Unresolved, WrongProtocol
from ops.verify.result import Result, failed, ok, skipped
from ops.verify.stun import StunError
from ops.verify.xmpp import Refused, Service, visit_if_let_in

_URL: Final = re.compile(r"(turns?):(\[[0-9a-fA-F:.]+\]|[^:?\[\]]+)(?::([0-9]+))?(?:\?transport=(udp|tcp))?")
"""RFC 7065."""
_OWN: Final = topology.COTURN
"""The role of the stack's own TURN server."""


@dataclass(frozen=True)
class Server:
    """One TURN URL in its parts."""

    url: str
    host: str
    port: int
    tls: bool
    udp: bool

    @classmethod
    def parse(cls, url: str) -> Server | None:
        """None where it is no TURN URL that can be tried."""
        match = _URL.fullmatch(url)
        if match is None:
            return None
        scheme, host, port, transport = match.groups()
        tls = scheme == "turns"
        if tls and transport == "udp":
            return None  # DTLS
        return cls(url, host.strip("[]"), int(port or (5349 if tls else 3478)), tls, not tls and transport != "tcp")

    @classmethod
    def of_service(cls, service: Service) -> Server | None:
        """The same of a service that prosody announces; None for what is no TURN server."""
        host = f"[{service.host}]" if ":" in service.host else service.host
        port = f":{service.port}" if service.port else ""
        transport = f"?transport={service.transport}" if service.transport else ""
        return cls.parse(f"{service.kind}:{host}{port}{transport}")

    @property
    def place(self) -> tuple[str, int, bool, bool]:
        """What two spellings of a URL have in common."""
        return self.host, self.port, self.tls, self.udp


@dataclass(frozen=True)
class Fault:
    """Why a URL is of no use, and what to do about it."""

    detail: str
    fix: str


async def check(context: Context) -> Result:
    """Allocates at every URL of the output turn, with the credential that prosody hands out; gives it back at once.

    Where prosody cannot be asked, with one that is made of the stack's own secret.
    """
    turn = context.stack.turn
    if turn is None:
        return skipped("the stack has no TURN server")
    services = await _services(context)
    if services is not None:
        problem = _compare(context, turn, services)
        if problem is not None:
            return failed(problem.detail, problem.fix)
    outcomes = await asyncio.gather(*(_attempt(context, turn, url, services) for url in turn.urls))
    for url, outcome in zip(turn.urls, outcomes, strict=True):
        if outcome is not None:
            return failed(f"{url} {outcome.detail}", outcome.fix)
    whose = "the stack's secret (prosody was not asked)" if services is None else "prosody's credential"
    return ok(f"{', '.join(turn.urls)}: a relay address each, by {whose}")


async def _services(context: Context) -> list[Service] | None:
    """The TURN services that prosody announces to a client; None where there is no sign-in, which other checks judge."""
    stack, room = context.stack, new_room()
    if stack.tokens is None and stack.sign_in_required:
        return None
    client = await visit_if_let_in(context, room, context.token(room) if stack.tokens else None)
    if client is None:
        return None
    async with client:
        try:
            return await client.services()
        except Refused:
            return []


def _compare(context: Context, turn: Turn, services: list[Service]) -> Fault | None:
    """Whether clients are told of the stack's servers, and of no others."""
    offered = [one for one in map(Server.of_service, services) if one is not None]
    places = {one.place for one in offered}
    wanted = [(url, Server.parse(url)) for url in turn.urls]
    missing = [url for url, one in wanted if one is not None and one.place not in places]
    if missing:
        return Fault(
            f"prosody does not tell clients of {', '.join(missing)}",
            f"has prosody the TURN settings (make outputs)? bring the stack up; {context.stack.logs('prosody')}",
        )
    further = [one.url for one in offered if one.place not in {own.place for _, own in wanted if own is not None}]
    if further:
        return Fault(
            f"prosody tells clients of a server that is not configured: {', '.join(further)}",
            "remove it from prosody's external_services, or bring the stack up",
        )
    return None


async def _attempt(context: Context, turn: Turn, url: str, services: list[Service] | None) -> Fault | None:
    """None where it went well."""
    server = Server.parse(url)
    if server is None:
        return Fault(
            "is no TURN URL that can be tried", "write turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT]"
        )
    username, password = _credential(context, turn, server, services)
    if not password:
        return Fault("is told to clients without a credential", "bring the stack up: prosody lacks TURN_CREDENTIALS")
    try:
        relayed = await _allocate(context, server, username, password)
    except StunError as error:
        detail, fix = str(error), "look into the TURN server's log; its relay ports may be used up or shut"
        if error.code in (401, 403, 438):
            fix = "the secret is not the server's, or the clocks differ: bring the stack up, compare with timedatectl"
    except ssl.SSLCertVerificationError as error:
        detail = f"its certificate is not valid ({error.verify_message})"
        fix = "give it the certificate of its host's name"
    except Unresolved as error:
        detail, fix = str(error), f"give {server.host} a DNS record, or correct turnHost"
    except WrongProtocol as error:
        detail = str(error)
        fix = f"another server has TCP {server.port}, or it lacks {'its certificate' if server.tls else 'TCP'}: look into its log"
    except (Unreachable, OSError, EOFError) as error:
        detail = str(error) if isinstance(error, Unreachable) else "no connection"
        fix = f"does it run, and does the firewall let {'UDP' if server.udp else 'TCP'} {server.port} through?"
    else:
        return judge_relay(context.stack, relayed)
    return Fault(f"gives no relay address: {detail}", fix)


def judge_relay(stack: DeployedStack, relayed: str) -> Fault | None:
    """Whether a relay address (IP#PORT) can be the right one, as far as the addresses that clients know tell."""
    ip, known = relayed.partition("#")[0], stack.advertised_addresses
    if not known or ip in known:
        return None
    if _OWN in stack.containers:
        fix = "dockerHostAddress is what clients know, behind NAT jvbBindAddress is the machine's own (docs/turn.md)"
    elif _is_inner(ip) and not all(map(_is_inner, known)):
        fix = "tell the TURN server its outer address (coturn: external-ip)"
    else:
        return None
    return Fault(f"relays at {ip}, while clients know {', '.join(known)}", fix)


def _is_inner(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return is_private(ip) or ip.is_loopback or ip.is_unspecified


def _credential(context: Context, turn: Turn, server: Server, services: list[Service] | None) -> tuple[str, str]:
    """User name and password: those that prosody hands out, else time-limited ones of the stack's secret."""
    for one in services or ():
        offered = Server.of_service(one)
        if offered is not None and offered.place == server.place:
            return one.username, one.password
    username = f"{int(time.time()) + TOKEN_SECONDS}:verify"
    digest = hmac.digest(turn.secret.encode(), username.encode(), hashlib.sha1)
    return username, context.keep_secret(base64.b64encode(digest).decode())


async def _allocate(context: Context, server: Server, username: str, password: str) -> str:
    """The relay address, which is given back. Raises WrongProtocol where TCP answers and TURN does not, and others."""
    addresses = await _addresses(context, server)
    channel: stun.Channel
    if server.udp:
        channel = await stun.udp_channel(addresses[0], server.port)
    else:
        tls = ssl.create_default_context(cadata=context.stack.ca_certificate) if server.tls else None
        if tls is not None and server.host != context.stack.host:
            tls.load_default_certs()
        channel = stun.TcpChannel(*await net.connect(addresses[0], server.port, tls, server.host))
    try:
        return await net.with_timeout(stun.allocate_and_release(channel, username, password), net.ANSWER_SECONDS)
    except (Unreachable, OSError, EOFError) as error:
        if server.udp:
            raise
        raise WrongProtocol(f"no TURN there ({str(error) or 'the connection was closed'})") from None
    finally:
        channel.close()


async def _addresses(context: Context, server: Server) -> list[str]:
    if server.host == context.stack.host and context.given_address:
        return [context.given_address]
    try:
        return await net.resolve(server.host)
    except Unreachable:
        if server.host == context.stack.host and context.expected_addresses:
            return context.expected_addresses
        raise
