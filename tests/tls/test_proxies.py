"""The proxy examples of docs/tls.md, read from there and run: a page and a WebSocket connection get through."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.engine.toolbox import ROOT
from tests.pem import certificate
from tests.prosody.servers import free_port, wait_until
from tests.tls.browser import Nginx

pytestmark = pytest.mark.servers

NAME: Final = "video.example.org"
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


def example(language: str) -> str:
    """The one example in this language that names web's address."""
    text = (ROOT / "docs" / "tls.md").read_text(encoding="utf-8")
    (found,) = [one for one in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if "127.0.0.1:8000" in one]
    return str(found)


def changed(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"the example has {old!r}"
        text = text.replace(old, new)
    return text


class Backend:
    """Stand-in for web: HTTP on loopback; /xmpp-websocket echoes frames of a WebSocket, all else shows the request."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket) -> None:
        with connection:
            head = read_head(connection)
            key = re.search(r"(?im)^sec-websocket-key: *(\S+)", head)
            upgrade = re.search(r"(?im)^upgrade: *websocket", head) and re.search(r"(?im)^connection: *upgrade", head)
            if not (head.startswith("GET /xmpp-websocket") and key and upgrade):
                body = head.encode()
                answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                connection.sendall(answer.encode() + body)
                return
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Accept: " + accepted(key[1]) + b"\r\n\r\n"
            )
            while data := connection.recv(4096):
                connection.sendall(data)

    def stop(self) -> None:
        self._listener.close()


def accepted(key: str) -> bytes:
    """Sec-WebSocket-Accept for a key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest())


def read_head(connection: socket.socket) -> str:
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(1)
        if not part:
            break
        raw += part
    return raw.decode()


@pytest.fixture
def backend() -> Iterator[Backend]:
    running = Backend()
    yield running
    running.stop()


def ask(port: int, authority: str, path: str, *headers: str) -> ssl.SSLSocket:
    """A request over TLS; the connection is ready to be read."""
    context = ssl.create_default_context(cadata=authority)
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname=NAME)
    connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {NAME}", *headers, "", ""]).encode())
    return connection


def carries_a_page_and_a_websocket(port: int, authority: str) -> None:
    with ask(port, authority, "/room?jwt=x", "Connection: close") as connection:
        answer = b""
        while part := connection.recv(4096):
            answer += part
    seen = answer.decode().lower()
    assert "get /room?jwt=x http/1.1" in seen
    assert f"host: {NAME}" in seen, "the page's own name"
    assert "x-forwarded-proto: https" in seen
    assert "x-forwarded-for: 127.0.0.1" in seen
    assert "upgrade: " not in seen, "a plain request stays one"

    key = base64.b64encode(b"0123456789abcdef").decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    with ask(port, authority, "/xmpp-websocket?room=x", *upgrade, "Sec-WebSocket-Protocol: xmpp") as connection:
        head = read_head(connection)
        assert head.startswith("HTTP/1.1 101"), head
        assert accepted(key).decode() in head
        frame = b"\x81\x85" + struct.pack("!I", 0) + b"hello"
        for _ in range(2):
            connection.sendall(frame)
            assert connection.recv(64) == frame
            time.sleep(0.2)


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx on PATH (Debian: apt-get install nginx-light)")
def test_the_nginx_example_carries_a_page_and_a_websocket(backend: Backend, tmp_path: Path) -> None:
    chain, private_key = certificate(NAME)
    (tmp_path / "fullchain.pem").write_text(chain)
    (tmp_path / "privkey.pem").write_text(private_key)
    port = free_port()
    block = changed(
        example("nginx"),
        ("/etc/ssl/video.example.org", str(tmp_path)),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("listen [::]:443 ssl;", ""),
        ("127.0.0.1:8000", f"127.0.0.1:{backend.port}"),
    )
    nginx = Nginx(tmp_path / "nginx", block, port=port)
    try:
        carries_a_page_and_a_websocket(port, chain)
    finally:
        nginx.stop()


@pytest.mark.skipif(not shutil.which("caddy"), reason="no caddy on PATH (Debian: apt-get install caddy)")
def test_the_caddy_example_carries_a_page_and_a_websocket(backend: Backend, tmp_path: Path) -> None:
    """With a certificate given: its own way of getting one is Caddy's business."""
    chain, private_key = certificate(NAME)
    (tmp_path / "chain.pem").write_text(chain)
    (tmp_path / "key.pem").write_text(private_key)
    port = free_port()
    site = changed(
        example("caddyfile"),
        (
            f"{NAME} {{",
            f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {tmp_path}/chain.pem {tmp_path}/key.pem",
        ),
        ("127.0.0.1:8000", f"127.0.0.1:{backend.port}"),
    )
    options = f"{{\n    admin off\n    auto_https off\n    storage file_system {tmp_path}/storage\n}}\n"
    (tmp_path / "Caddyfile").write_text(options + site)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin"}
    caddy = subprocess.Popen(
        ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "log").open("wb"),
    )
    try:

        def listens() -> bool:
            assert caddy.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, "caddy listens", 20)
        carries_a_page_and_a_websocket(port, chain)
    finally:
        caddy.terminate()
        caddy.wait(10)


def test_the_traefik_example_leads_from_the_name_to_web() -> None:
    """Traefik itself is in no Debian package: its file is read as the file provider does, and no further."""
    http = yaml.safe_load(example("yaml"))["http"]
    (router,) = http["routers"].values()
    assert router["rule"] == f"Host(`{NAME}`)"
    assert "tls" in router
    assert http["services"][router["service"]]["loadBalancer"]["servers"] == [{"url": "http://127.0.0.1:8000"}]
