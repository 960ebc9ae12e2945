"""Real servers for the tests: Prosody (of this system or of a chroot) and RabbitMQ, on free loopback ports.

Owns their directories, start and stop. What they are told stands in configuration.py.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prosody.configuration import Broker, Setup, main_file, statistics_file

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "prosody" / "plugins"
STAND_IN = Path(__file__).resolve().parent / "stand_in"

EXCHANGE = "statistics.topic"
QUEUE = "statistics.STOP_VIDEO_CALL"
ROUTING_KEY = "STOP_VIDEO_CALL"


def free_port() -> int:
    """A TCP port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Returns when `holds` does; raises TimeoutError naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} seconds: {what}")
        time.sleep(0.05)


def http_get(url: str, seconds: float = 5.0) -> str | None:
    """The body of a 200 answer within so many seconds, or None."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            body: bytes = answer.read()
            return body.decode()
    except (urllib.error.URLError, OSError):
        return None


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A Prosody on this machine: the system's, or one in a chroot (then `root` is its directory)."""

    name: str
    root: Path | None

    def command(self, program: str, *arguments: str) -> list[str]:
        inside = [program, *arguments]
        return inside if self.root is None else ["chroot", str(self.root), *inside]

    def version(self) -> str:
        """Prosody's version, as its package's file says it."""
        return (Path(str(self.root or "/")) / "usr/lib/prosody/prosody.version").read_text().strip()


def find_installations() -> dict[str, Installation | str]:
    """By name: each Prosody the tests know of, or the reason why it cannot be used."""
    chroot = Path(os.environ.get("PROSODY_CHROOT", "/opt/trixie"))
    found: dict[str, Installation | str] = {
        "system": Installation(name="system", root=None)
        if shutil.which("prosody")
        else "no prosody on PATH (Debian: apt-get install prosody)",
    }
    if not (chroot / "usr/bin/prosody").exists():
        found["chroot"] = f"no Prosody in {chroot} (debootstrap a Debian trixie with prosody, or set PROSODY_CHROOT)"
    elif os.geteuid() != 0 or not shutil.which("chroot"):
        found["chroot"] = f"chroot into {chroot} needs root and the program chroot"
    else:
        found["chroot"] = Installation(name="chroot", root=chroot)
    return found


class Prosody:
    """One Prosody with the project's modules; its directory (and so its data) stays over restarts."""

    def __init__(self, installation: Installation, setup: Setup, environment: Mapping[str, str] | None = None) -> None:
        self.installation = installation
        self.setup = setup
        self.environment = dict(environment or {})
        self.inside = f"/tmp/prosody-test-{secrets.token_hex(6)}"
        self.directory = Path(str(installation.root or "") + self.inside)
        self.process: subprocess.Popen[bytes] | None = None
        self.directory.mkdir(parents=True)
        (self.directory / "data").mkdir()
        self._output = (self.directory / "console.log").open("wb")

    @property
    def log(self) -> str:
        file = self.directory / "prosody.log"
        return file.read_text() if file.exists() else ""

    @property
    def spool(self) -> Path:
        return self.directory / "data" / "statistics_queue"

    def prepare(self) -> None:
        """Writes the modules and the configuration into the directory."""
        for source, name in ((PLUGINS, "plugins"), (STAND_IN, "stand_in")):
            shutil.copytree(source, self.directory / name, dirs_exist_ok=True)
        for name in self.setup.broken:
            (self.directory / "plugins" / f"mod_{name}.lua").write_text('error "broken by a test"\n')
        (self.directory / "conf.d").mkdir(exist_ok=True)
        (self.directory / "prosody.cfg.lua").write_text(main_file(self.setup, self.inside))
        (self.directory / "conf.d" / "statistics.cfg.lua").write_text(statistics_file(self.setup))
        if self.setup.video_service_file:
            (self.directory / "conf.d" / "videoservice.cfg.lua").write_text(self.setup.video_service_file)
        if self.setup.trusted:
            (self.directory / "trusted.pem").write_text(self.setup.trusted)

    def start(self) -> None:
        self.prepare()
        self.process = subprocess.Popen(
            self.installation.command("prosody", "--config", f"{self.inside}/prosody.cfg.lua", "-F"),
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **self.environment},
        )
        wait_until(self._is_up, f"Prosody answers\n{self._tail()}")

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"Prosody ended with {self.process.returncode}\n{self._tail()}")
        return self.is_healthy()

    def _tail(self) -> str:
        console = (self.directory / "console.log").read_text(errors="replace")
        return "\n".join((console + self.log).splitlines()[-30:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def remove(self) -> None:
        self.stop()
        self._output.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ctl(self, *arguments: str) -> str:
        """Runs prosodyctl and returns what it printed."""
        command = self.installation.command("prosodyctl", "--config", f"{self.inside}/prosody.cfg.lua", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout

    def create_account(self, jid: str, password: str) -> None:
        """Makes an account while Prosody is stopped."""
        command = self.installation.command(
            "prosodyctl", "--config", f"{self.inside}/prosody.cfg.lua", "register", *jid.split("@"), password
        )
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def reload_modules(self, *names: str) -> None:
        for name in names:
            self.ctl("shell", "module", "reload", name)

    def is_healthy(self) -> bool:
        return http_get(f"http://127.0.0.1:{self.setup.http_port}/health") is not None

    def backlog(self, name: str = "statistics") -> dict[str, Any]:
        """What GET /statistics_backlog says, or of "video_service" /video_service_backlog."""
        body = http_get(f"http://127.0.0.1:{self.setup.http_port}/{name}_backlog", 60)
        assert body is not None, f"no /{name}_backlog"
        answer: dict[str, Any] = json.loads(body)
        return answer


class RabbitMQ:
    """One RabbitMQ with its management API, the consumer's exchange and queue, and a user that can only publish."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self._amqp, self._dist, self._epmd = (free_port() for _ in range(4))
        self._publisher, self._reader = secrets.token_hex(8), secrets.token_hex(8)
        self.process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None

    @property
    def broker(self) -> Broker:
        return Broker(url=self.publish_url(self.port), username="publisher", password=self._publisher)

    @staticmethod
    def publish_url(port: int) -> str:
        return f"http://127.0.0.1:{port}/api/exchanges/%2F/{EXCHANGE}/publish"

    def _definitions(self) -> dict[str, Any]:
        # An import that leaves one of these out makes a queue without the consumer's binding, or none, and says nothing.
        durable = {"vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
        exchange = f"^{EXCHANGE.replace('.', '[.]')}$"
        return {
            "users": [
                _user("publisher", self._publisher, "management"),
                _user("reader", self._reader, "administrator"),
            ],
            "vhosts": [{"name": "/"}],
            "permissions": [
                {"user": "publisher", "vhost": "/", "configure": "^$", "write": exchange, "read": "^$"},
                {"user": "reader", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
            ],
            "exchanges": [{"name": EXCHANGE, "type": "topic", "internal": False, **durable}],
            "queues": [{"name": QUEUE, **durable, "arguments": {"x-queue-type": "classic"}}],
            "bindings": [
                {
                    "source": EXCHANGE,
                    "vhost": "/",
                    "destination": QUEUE,
                    "destination_type": "queue",
                    "routing_key": ROUTING_KEY,
                    "arguments": {},
                }
            ],
        }

    def start(self) -> None:
        here = self.directory
        here.mkdir(exist_ok=True)
        (here / "definitions.json").write_text(json.dumps(self._definitions()))
        (here / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (here / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self._amqp}\nmanagement.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.port}\nload_definitions = {here}/definitions.json\n"
            "loopback_users = none\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(here),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
        }
        with (here / "console.log").open("ab") as output:
            # A port mapper of its own, in the foreground: the one that Erlang starts would outlive the tests.
            self._mapper = subprocess.Popen(["epmd"], env=environment, stdout=output, stderr=subprocess.STDOUT)
            self.process = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._is_up, "RabbitMQ's management API answers", 120)

    def _is_up(self) -> bool:
        try:
            return bool(self._api("GET", f"queues/%2F/{QUEUE}"))
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends the broker: at once, as a crash would, or with SIGTERM in good order; its data stays."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            self.process.wait(60)
            self.process = None
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(10)
            self._mapper = None

    def _api(self, method: str, path: str, body: object = None) -> Any:
        token = base64.b64encode(f"reader:{self._reader}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def take_messages(self) -> list[tuple[str, str]]:
        """Takes every message out of the consumer's queue and returns their ids and payloads in order."""
        messages: list[tuple[str, str]] = []
        query = {"count": 500, "ackmode": "ack_requeue_false", "encoding": "auto"}
        while batch := self._api("POST", f"queues/%2F/{QUEUE}/get", query):
            messages += [(message["properties"]["message_id"], message["payload"]) for message in batch]
        return messages

    def bind(self, *, bound: bool) -> None:
        """Makes or takes away the binding of the consumer's queue: without it the broker routes nowhere."""
        path = f"bindings/%2F/e/{EXCHANGE}/q/{QUEUE}"
        if bound:
            self._api("POST", path, {"routing_key": ROUTING_KEY})
        else:
            self._api("DELETE", f"{path}/{ROUTING_KEY}")


def _user(name: str, password: str, tag: str) -> dict[str, Any]:
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [tag],
    }
