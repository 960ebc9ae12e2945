"""A gate between Prosody and RabbitMQ's management API that makes chosen requests go wrong."""

from __future__ import annotations

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.prosody.configuration import Broker
from tests.prosody.servers import RabbitMQ, free_port

ANSWERS = {
    "not routed": (200, b'{"routed":false}'),
    "not JSON": (200, b"<html>welcome</html>"),
    "unauthorized": (401, b'{"error":"not_authorised"}'),
    "no exchange": (404, b'{"error":"Object Not Found"}'),
    "broken": (500, b"Internal Server Error"),
}


# What no HTTP server says: sent as it stands, and the connection closed.
MALFORMED = {
    "nothing": b"",
    "no HTTP": b"\x00\xff\xfe garbage \r\n\r\n",
    "a status that is no number": b"HTTP/1.1 OK fine\r\n\r\n",
    "a status of its own": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nX: " + b"x" * 70000,
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "a body cut short": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"routed":true}',
    "bad chunks": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"routed":true}\r\n',
    "an empty body": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a list": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n[true]",
    "routed as text": b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"routed":"true"}',
    "a deep nest": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100000,
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
}


class Gate:
    """Closed (connections refused) until `open`; then `faults` befall the requests one after the other, first to last.

    A fault is a key of ANSWERS or MALFORMED, "cut" (no answer), "hang" (an answer that never comes) or "slow" (a good answer after a
    second). Requests beyond the list, and slow ones, reach RabbitMQ.
    """

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self.rabbitmq = rabbitmq
        self.port = free_port()
        self.faults: list[str] = []
        self.faulted: list[str] = []
        self.bodies: list[bytes] = []
        self.closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def broker(self) -> Broker:
        real = self.rabbitmq.broker
        return Broker(url=RabbitMQ.publish_url(self.port), username=real.username, password=real.password)

    def open(self) -> None:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                gate.handle(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        fault = self.faults.pop(0) if self.faults else ""
        self.faulted.append(fault)
        self.bodies.append(body)
        if fault == "hang":
            self.closing.wait(30)
        if fault in ("hang", "cut"):
            request.close_connection = True
            return
        if fault in MALFORMED:
            request.wfile.write(MALFORMED[fault])
            request.close_connection = True
            return
        if fault == "slow":
            self.closing.wait(1)
        status, text = ANSWERS[fault] if fault in ANSWERS else self._forward(request, body)
        request.send_response(status)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        url = f"http://127.0.0.1:{self.rabbitmq.port}{request.path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status, answer.read()
