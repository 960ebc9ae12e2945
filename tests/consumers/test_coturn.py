"""coturn reads every TURN secret that is taken from the file as prosody has it."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.consumers import alphabet
from tests.prosody.servers import free_port, wait_until
from tests.turn.client import Client, Refused, credentials
from tests.turn.server import answers
from tests.values import coturn_file, load

ONE = "one-of-the-secrets"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A coturn that has the project's file with all the secrets at once, and two that are refused; it takes several."""
    if shutil.which("turnserver") is None:
        pytest.skip("no turnserver on PATH (Debian: coturn)")
    folder = tmp_path_factory.mktemp("coturn")
    port = free_port()
    settings = load(turn="embedded", dockerHostAddress="192.168.1.5", tls="self-signed", turnRelayPorts="49160-49659")
    text = coturn_file(settings, ONE)
    line = f"static-auth-secret={ONE}\n"
    assert line in text
    lines = [f"static-auth-secret={secret}" for secret in (*alphabet.passwords(), "=begins-with-equals")]
    text = text.replace(line, "\n".join(lines) + "\n")
    for key, value in {
        "listening-port": port,
        "relay-ip": "127.0.0.1",
        "pidfile": folder / "pid",
        "userdb": folder / "db",
        "log-file": folder / "log",
    }.items():
        text = "\n".join(f"{key}={value}" if one.startswith(f"{key}=") else one for one in text.splitlines()) + "\n"
    text = "\n".join(one for one in text.splitlines() if not one.startswith(("external-ip", "listening-ip")))
    (folder / "turnserver.conf").write_text(f"{text}\nlistening-ip=127.0.0.1\n")
    process = subprocess.Popen(
        ["turnserver", "-c", str(folder / "turnserver.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:

        def up() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                return answers(probe, "127.0.0.1", port)

        wait_until(up, "coturn answers", 20)
        yield port
    finally:
        process.kill()
        process.wait(10)


CLIENTS = itertools.count(1)


def accepted(port: int, secret: str) -> bool:
    """Each client has an address of its own: coturn remembers for a while who was at a port."""
    number = next(CLIENTS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((f"127.1.{number >> 8}.{number & 255}", 0))
        own.connect(("127.0.0.1", port))
        try:
            Client(own, *credentials(secret)).allocate()
        except Refused:
            return False
        return True


def test_coturn_knows_every_secret_that_the_check_takes(port: int) -> None:
    secrets = alphabet.passwords()
    assert len(secrets) >= 140
    assert [secret for secret in secrets if not accepted(port, secret)] == []


def test_coturn_drops_what_the_check_refuses(port: int) -> None:
    """The server is told =begins-with-equals, and knows another one."""
    assert not accepted(port, "=begins-with-equals")
    assert not accepted(port, "a-secret-that-it-was-never-told")
