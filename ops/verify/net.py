"""Names, TCP, TLS and HTTP/1.1 as the checks need them, on asyncio.

Owns the timeouts of a single step and the wording of what goes wrong on the way. Judges nothing.

No executor threads: the interpreter would wait for them at its end, and a resolver that does not answer would hold
the command beyond its time limit.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 6.0
_LARGEST: Final = 4 * 1024 * 1024

T = TypeVar("T")


class Unreachable(Exception):
    """Nothing usable came back; the text says what happened, in a few words."""


class Unresolved(Unreachable):
    """A name has no address."""


class WrongProtocol(Unreachable):
    """The TCP connection was made, and what is there does not speak what was asked for: no firewall is in the way."""


class HttpError(Unreachable):
    """An HTTP status came back instead of what was asked for."""

    def __init__(self, path: str, status: int) -> None:
        super().__init__(f"{path} answers HTTP {status}")
        self.status = status


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """By name in small letters."""
    body: str


async def in_thread(work: Callable[[], T]) -> T:
    """`work` in a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]

    def target() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as caught:
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=target, daemon=True).start()
    return await done


async def resolve(host: str) -> list[str]:
    """The addresses of a name, as this machine resolves it. Raises Unresolved, or Unreachable where nobody answers."""
    try:
        found = await with_timeout(
            in_thread(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)), ANSWER_SECONDS
        )
    except OSError:
        raise Unresolved(f"{host} does not resolve") from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def with_timeout(awaitable: Awaitable[T], seconds: float) -> T:
    """Its result, or Unreachable after so many seconds."""
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        raise Unreachable(f"no answer within {seconds:g} seconds") from None


async def connect(
    address: str, port: int, tls: ssl.SSLContext | None = None, host: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection, with TLS for `host` where a context is given.

    Raises:
        WrongProtocol: where TCP answers and TLS does not.
        Unreachable: where TCP does not answer.
        ssl.SSLCertVerificationError: where the context wants another certificate.
    """
    try:
        connected = await with_timeout(_tcp(address, port), CONNECT_SECONDS)
    except Unreachable as error:
        raise Unreachable(f"{_spelled(address, port)}: {error}") from None
    except OSError as error:
        raise Unreachable(f"{_spelled(address, port)}: {_reason(error)}") from None
    try:
        return await with_timeout(
            asyncio.open_connection(sock=connected, ssl=tls, server_hostname=host if tls else None), CONNECT_SECONDS
        )
    except ssl.SSLCertVerificationError:
        raise
    except (Unreachable, OSError) as error:
        why = str(error) if isinstance(error, Unreachable) else _reason(error)
        raise WrongProtocol(f"{_spelled(address, port)}: no TLS there ({why})") from None


async def _tcp(address: str, port: int) -> socket.socket:
    """A connected socket. Raises OSError."""
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, (address, port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def _spelled(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").lower().replace("_", " ")
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError):
        return "the connection was closed"
    return (error.strerror or type(error).__name__).lower()


def unverified_tls_context() -> ssl.SSLContext:
    """TLS without a look at the certificate: that is one check's business, and the others should see past it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def request(
    address: str,
    port: int,
    target: str,
    *,
    host: str,
    tls: ssl.SSLContext | None = None,
    body: str | None = None,
) -> Answer:
    """GET, or with a body POST; a connection of its own. Raises Unreachable, as WrongProtocol where TCP answers."""
    reader, writer = await connect(address, port, tls, host)
    try:
        return await with_timeout(_exchange(reader, writer, _head(target, host, port, tls, body), body), ANSWER_SECONDS)
    except Unreachable as error:
        raise WrongProtocol(f"{_spelled(address, port)}: {error}") from None
    except (OSError, http.client.HTTPException, EOFError):
        raise WrongProtocol(f"{_spelled(address, port)}: no HTTP answer") from None
    finally:
        writer.transport.abort()


def _head(target: str, host: str, port: int, tls: ssl.SSLContext | None, body: str | None) -> str:
    usual = 443 if tls else 80
    name = f"[{host}]" if ":" in host else host
    lines = [
        f"{'GET' if body is None else 'POST'} {target} HTTP/1.1",
        f"Host: {name}" if port == usual else f"Host: {name}:{port}",
        "Accept: */*",
        "Connection: close",
    ]
    if body is not None:
        lines += ["Content-Type: text/xml; charset=utf-8", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", ""])


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, body: str | None) -> Answer:
    writer.write(head.encode() + (body or "").encode())
    await writer.drain()
    raw = bytearray()
    while part := await reader.read(65536):
        raw += part
        if len(raw) > _LARGEST:
            raise http.client.HTTPException
    answer = http.client.HTTPResponse(_Socket(bytes(raw)))  # type: ignore[arg-type]
    answer.begin()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, headers, answer.read().decode("utf-8", "replace"))


class _Socket:
    """What HTTPResponse needs of a socket: the bytes that came."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._raw)
