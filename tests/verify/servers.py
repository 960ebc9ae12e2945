"""The servers of a stack on loopback ports: real nginx, Prosody and coturn; stand-ins for jicofo, jvb, docker, broker.

Owns their configuration, start and stop, and what can be wrong with each. jicofo and the bridge cannot be had without
the Jitsi images: jicofo's part in XMPP is stand_in/mod_stand_in_focus.lua and mod_stand_in_invitation.lua, its
statistics come from the docker stand-in, and the bridge is a UDP socket that answers whom the real one would answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.prosody.configuration import DOMAIN, MUC_DOMAIN, MUC_MODULES
from tests.prosody.servers import Installation, Prosody, free_port, wait_until
from tests.verify.outputs import HOST

STAND_IN = Path(__file__).resolve().parent / "stand_in"
AUTHORITY_SUBJECT = "/CN=verify test authority"


class Certificates:
    """An authority and what it signs, made by openssl in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        self._run(
            "req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", AUTHORITY_SUBJECT
        )
        self._run(
            "req", "-x509", *_KEY, "-keyout", "self.key", "-out", "self.crt", "-days", "30", "-subj", f"/CN={HOST}"
        )
        self.make("right", HOST)
        self.make("other-host", "elsewhere.verify.test")
        self.make("expired", HOST, "-not_before", "20240101000000Z", "-not_after", "20240201000000Z")
        self.make("soon", HOST, days=7)

    def make(self, name: str, host: str, *dates: str, days: int = 90) -> None:
        request = ["req", "-new", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}"]
        self._run(*request, "-addext", f"subjectAltName=DNS:{host}")
        if dates:
            self._expired(name, host)
            return
        (self._directory / "ext").write_text(f"subjectAltName=DNS:{host}\n")
        self._run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-days", str(days), "-extfile", "ext"),
        )

    def _expired(self, name: str, host: str) -> None:
        here = self._directory
        (here / "index.txt").write_text("")
        (here / "serial").write_text("1000\n")
        (here / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=it\n[it]\nnew_certs_dir={here}\ndatabase={here}/index.txt\nserial={here}/serial\n"
            f"default_md=sha256\npolicy=any\nx509_extensions=ext\n[any]\ncommonName=supplied\n"
            f"[ext]\nsubjectAltName=DNS:{host}\n"
        )
        self._run(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", f"{name}.csr"),
            *("-out", f"{name}.crt", "-startdate", "20240101000000Z", "-enddate", "20240201000000Z", "-notext"),
        )

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._directory, check=True, capture_output=True, timeout=60)

    @property
    def authority(self) -> str:
        return (self._directory / "ca.crt").read_text()

    def path(self, name: str) -> Path:
        return self._directory / name


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")


class XmppServer(Prosody):
    """A Prosody with the project's modules that browsers reach by BOSH and WebSocket."""

    def __init__(
        self,
        installation: Installation,
        setup: object,
        *,
        without: str = "",
        overlooks: str = "",
        authentication: str = "stand_in_query_token",
        guests: str = "anonymous",
        focus: bool = True,
        turn_urls: Sequence[str] = (),
        turn_secret: str = "",
        bridge: Bridge | None = None,
    ) -> None:
        super().__init__(installation, setup)  # type: ignore[arg-type]
        self._without = without
        self._overlooks = overlooks
        self._authentication = authentication
        self._guests = guests
        self._focus = focus
        self._turn_urls = turn_urls
        self._turn_secret = turn_secret
        self._bridge = bridge

    def prepare(self) -> None:
        super().prepare()
        shutil.copytree(STAND_IN, self.directory / "stand_in", dirs_exist_ok=True)
        file = self.directory / "prosody.cfg.lua"
        text = file.read_text()
        overlooks = f'stand_in_overlooks = {{ "{self._overlooks}" }}' if self._overlooks else ""
        text = _replaced(
            text,
            'authentication = "stand_in_token"',
            f'authentication = "{self._authentication}"\n    {overlooks}\n'
            '    modules_enabled = { "bosh"; "websocket"; "smacks" }',
        )
        text = _replaced(text, 'authentication = "stand_in_guest"', f'authentication = "{self._guests}"')
        text = _replaced(text, "c2s_require_encryption = false", _SECURE)
        text = _replaced(text, '"stand_in_token_verification"', '"stand_in_token_verification"; "stand_in_meeting_id"')
        if self._bridge is not None:
            one = self._bridge
            arguments = f'"{FRAGMENT}", "{PASSWORD}", "{one.address}", {one.port}'
            text = _replaced(text, '"stand_in_meeting_id"', '"stand_in_meeting_id"; "stand_in_invitation"')
            rooms = f'Component "{MUC_DOMAIN}" "muc"\n'
            text = _replaced(text, rooms, f"{rooms}    stand_in_bridge = {{ {arguments} }}\n")
        if self._turn_urls:
            text = _replaced(text, '"http_openmetrics"; ', '"http_openmetrics"; "external_services"; ')
            services = _external_services(self._turn_urls, self._turn_secret)
            text = _replaced(text, f'VirtualHost "{DOMAIN}"\n', f'{services}\nVirtualHost "{DOMAIN}"\n')
        for module in filter(None, [self._without]):
            assert module in MUC_MODULES
            text = _replaced(text, f'"{module}"; ', "")
        text += (
            f'\nComponent "focus.{DOMAIN}" "stand_in_focus"\n    stand_in_jicofo_runs = {str(self._focus).lower()}\n'
        )
        file.write_text(text)


_SECURE = "c2s_require_encryption = false\nconsider_bosh_secure = true\nconsider_websocket_secure = true"


def _external_services(urls: Sequence[str], secret: str) -> str:
    """As prosody/rootfs/defaults/prosody.cfg.lua of the image renders TURN_* and TURNS_*."""
    items = []
    for url in urls:
        match = re.fullmatch(r"(turns?):([^:]+):([0-9]+)(?:\?transport=(udp|tcp))?", url)
        assert match, url
        kind, host, port, transport = match.groups()
        items.append(
            f'{{ type = "{kind}", host = "{host}", port = {port}, transport = "{transport or "udp"}", ttl = 86400, '
            f'secret = true, algorithm = "turn" }}'
        )
    return f'external_service_secret = "{secret}";\nexternal_services = {{ {", ".join(items)} }};'


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"the configuration has {old!r} once"
    return text.replace(old, new)


@dataclass(frozen=True, kw_only=True)
class Site:
    """What nginx serves, and what is wrong with it."""

    config_js: str
    prosody_port: int
    certificate: str = "right"
    redirects: bool = False
    bosh: str = "proxied"
    """Or `absent`, or `without query`."""
    websocket: str = "proxied"
    """Or `absent`, or `without upgrade`."""


class Nginx:
    """An nginx in the place of the web container."""

    def __init__(self, directory: Path, certificates: Certificates, site: Site) -> None:
        self.port, self.http_port = free_port(), free_port()
        directory.mkdir()
        (directory / "config.js").write_text(site.config_js.replace("PORT", str(self.port)))
        (directory / "nginx.conf").write_text(self._configuration(directory, certificates, site))
        self._process = subprocess.Popen(
            ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: _listens(self.port), "nginx listens", 10)

    def _configuration(self, directory: Path, certificates: Certificates, site: Site) -> str:
        upstream = f"http://127.0.0.1:{site.prosody_port}"
        common = f"proxy_set_header Host {DOMAIN}; proxy_http_version 1.1;"
        upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
        page = f"location = /config.js {{ alias {directory}/config.js; }}"
        locations = [page]
        if site.bosh != "absent":
            forget = 'set $args "";' if site.bosh == "without query" else ""
            locations.append(f"location = /http-bind {{ {forget} {common} proxy_pass {upstream}/http-bind?$args; }}")
        if site.websocket != "absent":
            locations.append(
                f"location = /xmpp-websocket {{ {common} {upgrade if site.websocket == 'proxied' else ''} "
                f"proxy_pass {upstream}/xmpp-websocket?$args; }}"
            )
        plain = f"return 301 https://$host:{self.port}$request_uri;" if site.redirects else page
        name = site.certificate
        return f"""
daemon off; master_process off; pid {directory}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{ listen 127.0.0.1:{self.http_port}; {plain} }}
    server {{
        listen 127.0.0.1:{self.port} ssl;
        ssl_certificate {certificates.path(name + ".crt")}; ssl_certificate_key {certificates.path(name + ".key")};
        {" ".join(locations)}
    }}
}}
"""

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Coturn:
    """A real coturn with time-limited credentials, by UDP, TCP and TLS."""

    def __init__(self, directory: Path, certificates: Certificates, secret: str) -> None:
        self.port, self.tls_port = free_port(), free_port()
        directory.mkdir()
        self.log = directory / "turn.log"
        low = free_port()
        self._process = subprocess.Popen(
            [
                *("turnserver", "-n", "--no-cli", "--realm", HOST, "--use-auth-secret", "--static-auth-secret", secret),
                *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", str(self.port)),
                *("--tls-listening-port", str(self.tls_port), "--min-port", str(low), "--max-port", str(low + 20)),
                *("--cert", str(certificates.path("right.crt")), "--pkey", str(certificates.path("right.key"))),
                *("--pidfile", str(directory / "pid"), "--log-file", str(self.log), "--simple-log", "--verbose"),
                *("--userdb", str(directory / "turn.db")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: _listens(self.port) and _listens(self.tls_port), "coturn listens", 20)

    def urls(self) -> list[str]:
        return [
            f"turn:{HOST}:{self.port}",
            f"turn:{HOST}:{self.port}?transport=tcp",
            f"turns:{HOST}:{self.tls_port}?transport=tcp",
        ]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)


class Broker:
    """Stand-in for RabbitMQ's management API: takes every event, or answers each with an HTTP error."""

    def __init__(self, *, works: bool = True) -> None:
        self.bodies: list[str] = []
        broker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                broker.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                answer = b'{"routed":true}'
                self.send_response(200 if works else 503)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/exchanges/%2F/statistics.topic/publish"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


FRAGMENT = "9uogc1k1fragment"
PASSWORD = "bridge-password-0a5f8e3c"
_SUCCESS, _REQUEST, _COOKIE = 0x0101, 0x0001, 0x2112A442
_USERNAME, _INTEGRITY, _MAPPED = 0x0006, 0x0008, 0x0020


class Bridge:
    """Stand-in for jvb: answers a connectivity check with the right user fragment and password, and nothing else.

    Args:
        address: where it is, at a port of its own.
        answers: `right` ones, or `none`, or those of a STUN server, which answers `everybody` and knows no password.
    """

    def __init__(self, address: str, answers: str = "right") -> None:
        self.address = address
        self._answers = answers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            message, sender = self._socket.recvfrom(2048)
            if message == b"end":
                return
            if self._answers == "everybody" or (self._answers == "right" and _knows_the_password(message)):
                self._socket.sendto(self._answer(message[8:20], sender), sender)

    def _answer(self, transaction: bytes, sender: tuple[str, int]) -> bytes:
        port, ip = sender[1] ^ (_COOKIE >> 16), struct.unpack("!I", socket.inet_aton(sender[0]))[0] ^ _COOKIE
        mapped = struct.pack("!HHBBHI", _MAPPED, 8, 0, 1, port, ip)
        if self._answers == "everybody":
            return struct.pack("!HHI", _SUCCESS, len(mapped), _COOKIE) + transaction + mapped
        signed = struct.pack("!HHI", _SUCCESS, len(mapped) + 24, _COOKIE) + transaction + mapped
        digest = hmac.digest(PASSWORD.encode(), signed, hashlib.sha1)
        return signed + struct.pack("!HH", _INTEGRITY, 20) + digest

    def stop(self) -> None:
        if self._thread.is_alive():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"end", (self.address, self.port))
            self._thread.join(10)
            self._socket.close()


def _knows_the_password(message: bytes) -> bool:
    kind, _, cookie = struct.unpack("!HHI", message[:8])
    at, user = 20, b""
    while (kind, cookie) == (_REQUEST, _COOKIE) and at + 4 <= len(message):
        name, size = struct.unpack("!HH", message[at : at + 4])
        value = message[at + 4 : at + 4 + size]
        if name == _USERNAME:
            user = value
        elif name == _INTEGRITY:
            signed = message[:2] + struct.pack("!H", at + 4) + message[4:at]
            right = hmac.digest(PASSWORD.encode(), signed, hashlib.sha1)
            return user.startswith(f"{FRAGMENT}:".encode()) and value == right
        at += 4 + (size + 3) // 4 * 4
    return False
