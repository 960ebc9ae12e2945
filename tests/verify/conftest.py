"""Fixtures of the tests with real servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prosody.servers import Installation, find_installations
from tests.verify.scenes import TURN_SECRET
from tests.verify.servers import Certificates, Coturn


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    return Certificates(tmp_path_factory.mktemp("verify") / "certificates")


@pytest.fixture(scope="session")
def installation() -> Installation:
    """The Prosody next to the images' release: the chroot's where there is one."""
    if not shutil.which("nginx"):
        pytest.skip("no nginx on PATH (Debian: apt-get install nginx-light)")
    found = find_installations()
    for one in (found["chroot"], found["system"]):
        if isinstance(one, Installation):
            return one
    pytest.skip(f"{found['chroot']}; {found['system']}")


@pytest.fixture(scope="session")
def coturn(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Coturn]:
    if not shutil.which("turnserver"):
        pytest.skip("no turnserver on PATH (Debian: apt-get install coturn)")
    server = Coturn(tmp_path_factory.mktemp("verify") / "coturn", certificates, TURN_SECRET)
    yield server
    server.stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for one scene."""
    return tmp_path
