"""Stand-ins for Keycloak and the VideoService that fail in every way.

The VideoService demands what the real one does: the stop call's path, a valid bearer token, the same value in header and
cookie. Both can be closed (connections refused), and `faults` befall their requests one after the other.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from components.stack.video_service_file import render_video_service_lua
from tests.prosody.gate import MALFORMED

REALM = "online-beratung"
CLIENT = "app"
USERNAME = "jitsi-technical"
PASSWORD = 'pass"word & more=ä'
MUC = "@muc.meet.jitsi"

Answer = tuple[int, bytes]

# Answers that have a whole status line, so that the VideoService has said that it took the call.
TAKEN = {
    "200 and a body cut short": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ok":true}',
    "200 and bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense",
    "200 and a body without end": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000,
    "200 and a huge body": b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n" + b"x" * 300_000,
    "200 and nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "202": b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
}
# Of MALFORMED, what has no status line to go by.
NO_ANSWERS = {
    name: text
    for name, text in MALFORMED.items()
    if name in ("nothing", "no HTTP", "a status that is no number", "a status of its own", "a header without end")
} | {"elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}
# What stands in Keycloak's place and gives no token.
NO_TOKENS = {
    **MALFORMED,
    "a huge body": b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n" + b"x" * 300_000,
    "a body without end": b"HTTP/1.1 200 OK\r\n\r\n" + b'{"access_token":"' + b"x" * 300_000,
    "a token of two lines": b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"access_token":"a\\r\\nX: b"}',
    "a token that is a number": b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"access_token":5}',
    "an empty token": b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"access_token":""}',
}


def _hold(port: int) -> socket.socket:
    """The port, so that nobody else takes it: connections are refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Site:
    """One HTTP server on a port of its own: closed until `open`, and again after `close`.

    A fault is a status number, bytes (sent as they stand, and the connection closed), "cut" (no answer), "hang" (none that
    comes in time) or "slow" (a good answer after a second).
    """

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, bytes], Answer]) -> None:
        self._held = _hold(0)
        self.port: int = self._held.getsockname()[1]
        self.faults: list[int | str | bytes] = []
        self.asked = 0
        self.scheme = "http"
        self._answer = answer
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def open(self, certificate: Path | None = None) -> None:
        """Listens; with a certificate (a PEM file, its key too) by TLS."""
        site = self
        self._closing.clear()
        self._held.close()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                site._handle(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, *_: object) -> None:
                pass  # a client that has gone

        self._server = Server(("127.0.0.1", self.port), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake in the connection's own thread: a client that refuses the certificate must not end the server.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self._held = _hold(self.port)

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        self.asked += 1
        fault = self.faults.pop(0) if self.faults else ""
        request.close_connection = True
        if fault == "hang":
            self._closing.wait(30)
        if fault in ("hang", "cut"):
            return
        if isinstance(fault, bytes):
            if fault in TAKEN.values():
                self._answer(request, body)
            request.wfile.write(fault)
            return
        if fault == "slow":
            self._closing.wait(1)
        status, text = (fault, b"") if isinstance(fault, int) else self._answer(request, body)
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)


class Platform:
    """Keycloak and the VideoService.

    Attributes:
        stops: the rooms whose end the VideoService took, in order.
        tokens: those that Keycloak gave, with the time of their end.
        lifetime: of a token in seconds.
        unknown: the VideoService's answer for a room that is not among `rooms`; None: it knows every room.
    """

    def __init__(self) -> None:
        self.keycloak, self.video_service = Site(self._give_token), Site(self._stop)
        self.stops: list[str] = []
        self.tokens: dict[str, float] = {}
        self.lifetime: float | None = 300
        self.rooms: set[str] = set()
        self.unknown: int | None = None
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        self.keycloak.open()
        self.video_service.open()

    def close(self) -> None:
        self.keycloak.close()
        self.video_service.close()

    @property
    def file(self) -> str:
        """Prosody's file of settings, as the program writes it."""
        return render_video_service_lua(
            url=f"{self.video_service.origin}/service",
            keycloak_url=f"{self.keycloak.origin}/auth",
            realm=REALM,
            client_id=CLIENT,
            username=USERNAME,
            password=PASSWORD,
        )

    def revoke(self) -> None:
        """No token that was given is good any more."""
        with self._lock:
            self.tokens = dict.fromkeys(self.tokens, 0.0)

    def _give_token(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
        if request.path != f"/auth/realms/{REALM}/protocol/openid-connect/token":
            self.wrong.append(request.path)
            return 404, b""
        wanted = {"grant_type": "password", "client_id": CLIENT, "username": USERNAME, "password": PASSWORD}
        if form != {name: [value] for name, value in wanted.items()}:
            return 401, b'{"error":"invalid_grant","error_description":"Invalid user credentials"}'
        token = f"eyJ{secrets.token_urlsafe(30)}.{secrets.token_urlsafe(30)}.{secrets.token_urlsafe(20)}"
        with self._lock:
            self.tokens[token] = time.monotonic() + (60 if self.lifetime is None else self.lifetime)
        answer: dict[str, object] = {"access_token": token, "token_type": "Bearer", "refresh_token": "never-used"}
        return 200, json.dumps(answer if self.lifetime is None else answer | {"expires_in": self.lifetime}).encode()

    def _stop(self, request: BaseHTTPRequestHandler, _: bytes) -> Answer:
        before, room = urllib.parse.unquote(request.path).rsplit("/", 1)
        token = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        forged = f"CSRF-TOKEN={request.headers['X-CSRF-TOKEN']}" != request.headers["Cookie"]
        with self._lock:
            if forged:
                return 403, b""
            if self.tokens.get(token, 0) < time.monotonic():
                return 401, b""
            if before != "/service/videocalls/event/stop" or not room.endswith(MUC):
                self.wrong.append(request.path)
                return 404, b""
            room = room.removesuffix(MUC)
            if self.unknown is not None and room not in self.rooms:
                return self.unknown, b""
            self.stops.append(room)
            return 204, b""
