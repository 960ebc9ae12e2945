"""What the checks of one run share: the stack, the way to it, and the secrets that no line may show.

Owns the choice of the address to connect to. Does not judge it (`checks.name`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import signal
import uuid
from collections.abc import Mapping
from typing import Any, Final

from ops.verify import jwt, net
from ops.verify.deployed import DeployedStack
from ops.verify.net import Answer, Unreachable
from ops.verify.result import Result

TOKEN_SECONDS: Final = 120
NO_DOCKER: Final = "run verify where docker reaches the stack's Docker host; --docker-host URL says where it is"
NO_HTTPS: Final = "no https (see certificate)"
"""Of a check that needs https where there is none: that is the fault of `certificate`, or before it of `name`."""
_DOCKER_SECONDS: Final = 8.0
_END_SECONDS: Final = 0.3


class NoDocker(Exception):
    """The Docker host cannot be asked; the text says why."""


class Context:
    """One run of the checks.

    Args:
        stack: the stack to look at.
        address: where to connect, whatever the name resolves to; None to go by the name.
        statistics: whether a test call may be held, whose end reaches the broker.
        time_limit: seconds that all checks have.
    """

    def __init__(
        self, stack: DeployedStack, address: str | None = None, *, statistics: bool = False, time_limit: float = 30.0
    ) -> None:
        self.stack = stack
        self.given_address = address
        self.statistics = statistics
        self.time_limit = time_limit
        self.tls = net.unverified_tls_context()
        self._secrets = {one for one in (stack.jwt_secret, stack.turn.secret if stack.turn else None) if one}
        self.test_call: asyncio.Task[Result | None] | None = None
        """One for all that look for its end; its result is what kept it from being held."""
        self._address: asyncio.Task[str] | None = None
        self._https: asyncio.Task[None] | None = None

    def hide(self, text: str) -> str:
        """`text` on one line, without any secret of the stack or of this run."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return "".join(char if char.isprintable() else " " for char in text)

    def keep_secret(self, value: str) -> str:
        """`value`, which from now on `hide` hides."""
        if value:
            self._secrets.add(value)
        return value

    def token(self, room: str, *, moderator: bool = False, secret: str | None = None, **changes: object) -> str:
        """A token for the room that is good for two minutes; `changes` to its claims, or another key."""
        claims = jwt.claims(self.stack, room, TOKEN_SECONDS, moderator=moderator) | changes
        return self.keep_secret(jwt.sign(claims, secret or jwt.secret_of(self.stack)))

    @property
    def expected_addresses(self) -> list[str]:
        """Where the stack's name ought to lead, as far as its outputs say."""
        stack = self.stack
        if stack.dns_records:
            return [record.split()[-1] for record in stack.dns_records]
        entry = stack.hosts_entry.split()[:1] if stack.hosts_entry else []
        return list(dict.fromkeys([*entry, *stack.advertised_addresses]))

    async def address(self) -> str:
        """Where to connect, after one connection was made there. Raises Unreachable, to every check the same."""
        if self._address is None:
            self._address = asyncio.ensure_future(self._find_address())
        return await asyncio.shield(self._address)

    async def has_https(self) -> bool:
        """Whether a TLS handshake succeeds, whatever the certificate; tried once, for every check the same."""
        if self._https is None:
            self._https = asyncio.ensure_future(self._shake_hands())
        try:
            await asyncio.shield(self._https)
        except Unreachable:
            return False
        return True

    async def _shake_hands(self) -> None:
        _, writer = await net.connect(await self.address(), self.stack.port, self.tls, self.stack.host)
        writer.transport.abort()

    async def _find_address(self) -> str:
        candidates = [self.given_address] if self.given_address else await self._by_name()
        problem = Unreachable("the name leads nowhere")
        for candidate in candidates:
            try:
                _, writer = await net.connect(candidate, self.stack.port)
            except Unreachable as error:
                problem = error
                continue
            writer.transport.abort()
            return candidate
        raise problem

    async def _by_name(self) -> list[str]:
        """The name's addresses; where it does not resolve the ones it ought to have, so that the rest can be seen."""
        host = self.stack.host
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        try:
            return await net.resolve(host)
        except Unreachable:
            if not self.expected_addresses:
                raise
            return self.expected_addresses

    async def get(self, target: str) -> Answer:
        """GET of a path of publicUrl. Raises Unreachable."""
        return await self.ask(target, None)

    async def ask(self, target: str, body: str | None) -> Answer:
        """GET, or with a body POST, of a path of publicUrl. Raises Unreachable."""
        address, stack = await self.address(), self.stack
        return await net.request(address, stack.port, target, host=stack.host, tls=self.tls, body=body)

    async def curl(self, role: str, url: str) -> str:
        """What a URL gives inside a service's container, by `docker exec`.

        Raises:
            NoDocker: where the Docker host cannot be asked from here.
            Unreachable: where the container or the URL does not answer.
        """
        docker = self.stack.docker
        if docker.unusable:
            raise NoDocker(f"its Docker host is not known: {docker.unusable}")
        name = self.stack.container(role)
        command = docker.command("exec", name, "curl", "--silent", "--show-error", "--max-time", "5", url)
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                env=docker.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            raise NoDocker("the docker command is not installed here") from None
        try:
            out, err = await net.with_timeout(child.communicate(), _DOCKER_SECONDS)
        except Unreachable as error:
            raise NoDocker(f"docker: {error}") from None
        finally:
            if child.returncode is None:
                await _end(child)
        if child.returncode == 0:
            return out.decode("utf-8", "replace")
        message = (err.decode("utf-8", "replace").strip().splitlines() or ["docker said nothing"])[-1]
        lowered = message.lower()
        if "no such container" in lowered or "is not running" in lowered:
            raise Unreachable(f"the container {name} is not running")
        if message.startswith("curl:"):
            raise Unreachable(f"{role} does not answer in its container ({message})")
        raise NoDocker(f"docker: {message}")

    async def curl_json(self, role: str, url: str) -> Mapping[str, Any]:
        """The same as a JSON object."""
        text = await self.curl(role, url)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unreachable(f"{role} answers {text.strip()[:60]!r} instead of JSON")
        return found


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ends a command with all that it started, which would hold its pipes open after the event loop's end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(Unreachable):
        await net.with_timeout(child.communicate(), _END_SECONDS)


def new_room(prefix: str = "") -> str:
    """A name that no other room has."""
    return f"{prefix}verify-{uuid.uuid4()}"
