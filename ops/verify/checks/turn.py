"""Whether each TURN server gives a relay address for the stack's own credentials."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import time
from dataclasses import dataclass
from typing import Final

from ops.verify import net, stun
from ops.verify.context import TOKEN_SECONDS, Context
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped
from ops.verify.stun import StunError

_URL: Final = re.compile(r"(turns?):(\[[0-9a-fA-F:.]+\]|[^:?\[\]]+)(?::([0-9]+))?(?:\?transport=(udp|tcp))?")
"""RFC 7065."""


@dataclass(frozen=True)
class Server:
    """One TURN URL, taken apart."""

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


async def check(context: Context) -> Result:
    """Allocates at every URL of the output turn, with time-limited credentials, and gives the allocation back."""
    turn = context.stack.turn
    if turn is None:
        return skipped("the stack has no TURN server")
    outcomes = await asyncio.gather(*(_attempt(context, url) for url in turn.urls))
    problems = [one for one in outcomes if one is not None]
    if problems:
        url, said, todo = problems[0]
        return failed(f"{url} gives no relay address: {said}", todo)
    return ok(f"{', '.join(turn.urls)}: a relay address each")


async def _attempt(context: Context, url: str) -> tuple[str, str, str] | None:
    """None where it went well, else the URL, what went wrong and what to do."""
    server = Server.parse(url)
    if server is None:
        return url, "no TURN URL that can be tried", "write turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT]"
    try:
        await net.within(net.ANSWER_SECONDS, _allocate(context, server))
    except StunError as error:
        if error.code in (401, 403, 438):
            mend = "the secret is not the server's, or the clocks differ: bring the stack up, compare with timedatectl"
        else:
            mend = "look into the TURN server's log; its relay ports may be used up or shut"
        return url, str(error), mend
    except ssl.SSLCertVerificationError as error:
        return (
            url,
            f"its certificate is not valid ({error.verify_message})",
            "give it the certificate of its host's name",
        )
    except (Unreachable, OSError, EOFError) as error:
        said = str(error) if isinstance(error, Unreachable) else "no connection"
        return (
            url,
            said,
            f"does it run, and does the firewall let {'UDP' if server.udp else 'TCP'} {server.port} through?",
        )
    return None


async def _allocate(context: Context, server: Server) -> None:
    turn = context.stack.turn
    if turn is None:
        return
    username = f"{int(time.time()) + TOKEN_SECONDS}:verify"
    digest = hmac.digest(turn.secret.encode(), username.encode(), hashlib.sha1)
    password = context.keep_secret(base64.b64encode(digest).decode())
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
        await stun.allocate_and_release(channel, username, password)
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
