"""Certificates as stacks have them: a local authority's made by a real `pulumi up`, and an operator's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.toolbox import ROOT
from tests.tls import browser

HOST = "onlineberatung.local"

_PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi
from components.resources import certificates
from components.config.load import load as load_settings
from components.stack.blueprint import blueprint
config = pulumi.Config()
certificates.EARLY_RENEWAL_HOURS = config.get_int("earlyRenewalHours", certificates.EARLY_RENEWAL_HOURS)
settings = load_settings({{"publicUrl": config.require("publicUrl")}}, stack="test")
made = certificates.Certificates("videobackend-certificates", blueprint(settings).certificate)
pulumi.export("chain", made.chain)
pulumi.export("privateKey", made.private_key)
pulumi.export("caCertificate", made.ca_certificate)
"""


@dataclass(frozen=True)
class Certificate:
    """What goes into web, and what its users have to trust."""

    chain: str
    private_key: str
    authority: str


class Authority:
    """A program of certificates alone, with a state of its own.

    Args:
        folder: a new directory.
        host: publicUrl's host.
        early_renewal: hours before its end at which the page's certificate is made anew; None for the program's own.
    """

    def __init__(self, folder: Path, host: str, early_renewal: int | None = None) -> None:
        self._folder = folder
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: certificates\nruntime: python\n")
        (folder / "__main__.py").write_text(_PROGRAM)
        foreign = ("PULUMI_", "VIRTUAL_ENV")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "tls tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self._pulumi("stack", "init", "test")
        self._pulumi("config", "set", "publicUrl", f"https://{host}:8443")
        if early_renewal is not None:
            self._pulumi("config", "set", "earlyRenewalHours", str(early_renewal))

    def up(self) -> Certificate:
        self._pulumi("up", "--yes", "--skip-preview")
        outputs = json.loads(self._pulumi("stack", "output", "--json", "--show-secrets"))
        return Certificate(outputs["chain"], outputs["privateKey"], outputs["caCertificate"])

    def _pulumi(self, *arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def make_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Authority]:
    """Makes an authority for a host, with the real engine and tls provider."""
    for program in ("pulumi", "pulumi-language-python", "pulumi-resource-tls"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on PATH")
    return lambda host, **more: Authority(tmp_path_factory.mktemp("local-ca"), host, **more)


@pytest.fixture(scope="session")
def local_ca(make_authority: Callable[..., Authority]) -> Callable[[str], Certificate]:
    """By host the certificate that the stack's own authority gives it."""
    made: dict[str, Certificate] = {}

    def make(host: str) -> Certificate:
        if host not in made:
            made[host] = make_authority(host).up()
        return made[host]

    return make


@pytest.fixture
def chromium(tmp_path: Path) -> browser.Browser:
    """A new user's browser."""
    reason = browser.missing()
    if reason is not None:
        pytest.skip(reason)
    return browser.Browser(tmp_path / "home")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str, str], int]]:
    """Starts an nginx with a certificate and key; its port."""
    running: list[browser.Nginx] = []

    def start(chain: str, private_key: str) -> int:
        running.append(browser.Nginx.with_certificate(tmp_path / f"nginx-{len(running)}", chain, private_key))
        return running[-1].port

    yield start
    for one in running:
        one.stop()
