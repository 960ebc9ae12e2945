"""Who gets a relay from a real coturn with the program's configuration, over each transport."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.config.settings import Settings
from components.stack.services.coturn import RENEWING
from ops.verify import net, stun
from tests.pem import certificate
from tests.prosody.servers import free_port, wait_until
from tests.turn import server
from tests.turn.client import credentials
from tests.turn.server import SECRET, Coturn
from tests.values import load

pytestmark = pytest.mark.servers

HOST = "onlineberatung.local"
TRANSPORTS = ("udp", "tcp", "tls")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return stack()


def stack() -> Settings:
    """A stack whose TURN server is behind NAT, as far as loopback can tell."""
    chain, key = certificate(HOST)
    low = 40000
    return load(
        turn="embedded",
        dockerHostAddress="192.0.2.7",
        jvbBindAddress="127.0.0.1",
        turnPort=str(free_port()),
        turnsPort=str(free_port()),
        turnRelayPorts=f"{low}-{low + 20}",
        tls="own",
        tlsCertificate=chain,
        tlsPrivateKey=key,
    )


@pytest.fixture(scope="module")
def coturn(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with up(tmp_path_factory.mktemp("coturn"), settings) as running:
        yield running


@contextmanager
def up(directory: Path, settings: Settings, script: str | None = None) -> Iterator[Coturn]:
    reason = server.missing()
    if reason:
        pytest.skip(reason)
    running = Coturn(directory, settings, start=server.on_this_machine, script=script)
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            running.wait(lambda: server.answers(probe, "127.0.0.1", settings.turn_port))
        running.wait(lambda: all(server.listens("127.0.0.1", one) for one in (settings.turn_port, settings.turns_port)))
        yield running
    finally:
        running.stop()


def allocate(settings: Settings, transport: str, username: str, password: str) -> str:
    """The relay address that the server tells. Raises StunError, Unreachable, SSLCertVerificationError."""

    async def run() -> str:
        channel: stun.Channel
        if transport == "udp":
            channel = await stun.udp_channel("127.0.0.1", settings.turn_port)
        else:
            tls, port = None, settings.turn_port
            if transport == "tls":
                assert settings.tls_certificate is not None
                tls, port = (
                    ssl.create_default_context(cadata=settings.tls_certificate.reveal()),
                    settings.turns_port,
                )
            channel = stun.TcpChannel(*await net.connect("127.0.0.1", port, tls, HOST))
        try:
            return await stun.allocate_and_release(channel, username, password)
        finally:
            channel.close()

    return asyncio.run(run())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_credential_of_the_shared_secret_gets_a_relay_at_the_address_that_callers_know(
    coturn: Coturn, settings: Settings, transport: str
) -> None:
    address, _, port = allocate(settings, transport, *credentials(SECRET)).partition("#")
    assert address == "192.0.2.7"
    first, last = settings.turn_relay_ports
    assert first <= int(port) <= last


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", ["another secret", "expired", "no time in it", "a password of one's own"])
def test_any_other_credential_is_refused(coturn: Coturn, settings: Settings, transport: str, kind: str) -> None:
    username, password = {
        "another secret": credentials("another-secret-0123456789"),
        "expired": credentials(SECRET, seconds=-5),
        "no time in it": ("caller", credentials(SECRET)[1]),
        "a password of one's own": (credentials(SECRET)[0], "password"),
    }[kind]
    with pytest.raises(stun.StunError) as refused:
        allocate(settings, transport, username, password)
    assert refused.value.code == 401


def test_tls_is_the_pages_certificate(coturn: Coturn, settings: Settings) -> None:
    """Who does not trust it gets no relay: nobody in between can pass for the server."""
    another = ssl.create_default_context(cadata=certificate(HOST)[0])
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(net.connect("127.0.0.1", settings.turns_port, another, HOST))


def test_a_certificate_that_web_has_renewed_is_used_without_a_new_start(tmp_path: Path) -> None:
    """With tls letsencrypt coturn is started by a script that tells it twice a day to look; here, each second."""
    settings = stack()
    often = RENEWING.replace("sleep 43200", "sleep 1")
    assert often != RENEWING

    def used() -> str:
        return ssl.get_server_certificate(("127.0.0.1", settings.turns_port))

    with up(tmp_path, settings, often) as running:
        before, process = used(), running.pid()
        chain, key = certificate(HOST)
        running.certificate.write_text(chain)
        running.private_key.write_text(key)
        wait_until(lambda: used() == chain, "the new certificate is used", 20)
        assert before != chain
        assert running.pid() == process


def test_the_log_holds_no_secret(coturn: Coturn, settings: Settings) -> None:
    username, password = credentials(SECRET)
    allocate(settings, "udp", username, password)
    log = coturn.log.read_text()
    assert log
    assert SECRET not in log
    assert password not in log
