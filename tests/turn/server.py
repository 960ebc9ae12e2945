"""A real coturn with the configuration that the program makes.

Only paths are changed, and lines added that a test names: what coturn may do is what a stack's may.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from components.config.settings import Settings
from components.stack.services import coturn
from ops.verify import stun
from tests.prosody.servers import wait_until
from tests.values import coturn_file

SECRET: Final = "the-shared-secret-0123456789"

Start = Callable[..., "subprocess.Popen[bytes]"]


def missing() -> str | None:
    """Why there is no coturn here; None where there is."""
    return None if shutil.which("turnserver") else "no turnserver on PATH (Debian: apt-get install coturn)"


class Coturn:
    """Starts at once, by `script` where there is one; `stop` ends it."""

    def __init__(
        self, directory: Path, settings: Settings, *, start: Start, more: Sequence[str] = (), script: str | None = None
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.log = directory / "log"
        text = coturn_file(settings, SECRET)
        self.certificate, self.private_key = directory / "certificate.pem", directory / "key.pem"
        moved = {
            coturn.CERTIFICATE: self.certificate,
            coturn.PRIVATE_KEY: self.private_key,
            "pidfile=/tmp/turnserver.pid": f"pidfile={directory}/pid",
            "userdb=/tmp/turndb": f"userdb={directory}/db",
            "log-file=stdout": f"log-file={self.log}",
        }
        for old, new in moved.items():
            text = text.replace(old, str(new))
        if settings.tls_certificate is not None and settings.tls_private_key is not None:
            self.certificate.write_text(settings.tls_certificate.reveal())
            self.private_key.write_text(settings.tls_private_key.reveal())
        file = directory / "turnserver.conf"
        file.write_text(text + "".join(f"{line}\n" for line in more))
        command = ["turnserver", "-c", str(file)]
        if script is not None:
            command = ["sh", str(directory / "start.sh")]
            Path(command[1]).write_text(script.replace(coturn.CONFIG, str(file)))
        self._process = start(*command)

    def wait(self, listens: Callable[[], bool]) -> None:
        """Until it takes connections; its log is the test's where it ended instead."""

        def up() -> bool:
            assert self._process.poll() is None, self.log.read_text() if self.log.exists() else "coturn ended"
            return listens()

        wait_until(up, "coturn listens", 20)

    def pid(self) -> int:
        """The one that coturn writes down."""
        return int((self.certificate.parent / "pid").read_text())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)


def on_this_machine(*command: str) -> subprocess.Popen[bytes]:
    """Starts a command with nothing to say."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def answers(probe: socket.socket, address: str, port: int) -> bool:
    """Whether a STUN server answers this UDP socket: its UDP listeners come after those of TCP."""
    probe.settimeout(0.2)
    try:
        probe.connect((address, port))
        probe.send(stun.binding_request())
        return bool(probe.recv(2048))
    except OSError:
        return False


def listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0
