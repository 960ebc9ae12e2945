"""Headless Chromium with a profile, and so a certificate store, of its own; and the nginx that it looks at.

The browser resolves every name to 127.0.0.1 and asks nobody else for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.prosody.servers import free_port, wait_until

PAGE: Final = "the page opened"
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
)
_STORES: Final = (".pki/nssdb", ".local/share/pki/nssdb")
"""Where Chromium on Linux looks for the user's own authorities; the second is the newer place."""


def missing() -> str | None:
    """Why there is no browser or no web server here; None where there are both."""
    for program, package in (("chromium", "chromium"), ("certutil", "libnss3-tools"), ("nginx", "nginx-light")):
        if shutil.which(program) is None:
            return f"no {program} on PATH (Debian: apt-get install {package})"
    return None


@dataclass(frozen=True)
class Seen:
    """What came of opening an address."""

    dom: str
    error: str | None
    """Chromium's name for what went wrong, ERR_…"""

    @property
    def opened(self) -> bool:
        return PAGE in self.dom and self.error is None


class Browser:
    """One user's browser; nothing is trusted but what Chromium brings along and what `trust` adds."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._visits = 0
        for store in _STORES:
            (home / store).mkdir(parents=True)
            self._certutil(store, "-N", "--empty-password")

    def trust(self, authority: str) -> None:
        """As `certutil -A` in docs/tls.md does."""
        file = self._home / "authority.pem"
        file.write_text(authority)
        for store in _STORES:
            self._certutil(store, "-A", "-t", "C,,", "-n", "videobackend", "-i", str(file))

    def visit(self, url: str, *more: str) -> Seen:
        self._visits += 1
        command = [
            "chromium",
            *_FLAGS,
            f"--user-data-dir={self._home}/profile-{self._visits}",
            *more,
            "--dump-dom",
            url,
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        failed = re.search(r"Page load failed: net::(ERR_\w+)", done.stderr)
        assert done.stdout or failed, done.stderr[-2000:]
        return Seen(done.stdout, failed[1] if failed else None)

    def _certutil(self, store: str, *arguments: str) -> None:
        subprocess.run(["certutil", "-d", f"sql:{self._home / store}", *arguments], check=True, capture_output=True)


class Nginx:
    """An nginx with one server block; `stop` ends it.

    Args:
        directory: for its files; made if need be.
        server: lines of the block.
        http: lines before it.
    """

    def __init__(self, directory: Path, server: str, *, port: int, http: str = "") -> None:
        directory.mkdir(exist_ok=True)
        self.port = port
        (directory / "index.html").write_text(f"<!doctype html><title>test</title><p>{PAGE}</p>\n")
        self.file = directory / "nginx.conf"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
        self.file.write_text(
            f"daemon off; master_process off; pid {directory}/pid;\nevents {{ worker_connections 64; }}\n"
            f"http {{\naccess_log off; root {directory}; {temporary}\n{http}\n{server}\n}}\n"
        )
        self._command = ["nginx", "-p", str(directory), "-c", str(self.file), "-e", str(directory / "error.log")]
        checked = subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._listens, "nginx listens", 10)

    @classmethod
    def with_certificate(cls, directory: Path, chain: str, private_key: str, *, more: str = "") -> Nginx:
        """A page over TLS; `more` are further lines of its server block."""
        directory.mkdir()
        (directory / "cert.crt").write_text(chain)
        (directory / "cert.key").write_text(private_key)
        port = free_port()
        block = (
            f"server {{ listen 127.0.0.1:{port} ssl; "
            f"ssl_certificate {directory}/cert.crt; ssl_certificate_key {directory}/cert.key; {more} }}"
        )
        return cls(directory, block, port=port)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
