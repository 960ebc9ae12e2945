"""A certificate by ACME as web's image gets it: standalone on the container's port, reached at the port that is published.

    authority (friend) ── Docker host, DNAT 80 → 8000 ── web's container, with the ACME client

The authority is pebble, Let's Encrypt's own test server. acme.sh is the image's client and tried where it is on PATH;
lego is another one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509

from components.config.settings import Settings
from components.stack import topology
from tests.netns import network as hosts
from tests.netns.network import ADDRESS, CONTAINER, FRIEND, HOST_ADDRESS, IPV4, Network
from tests.pem import certificate
from tests.prosody.servers import wait_until
from tests.values import DOMAIN, container, load

pytestmark = pytest.mark.servers

NAME: Final = "video.example.org"
AUTHORITY: Final = ADDRESS[FRIEND, IPV4]
DIRECTORY: Final = f"https://{AUTHORITY}:14000/dir"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(**{**DOMAIN, "letsencryptAcmeServer": DIRECTORY})


@pytest.fixture(scope="module")
def network(settings: Settings) -> Iterator[Network]:
    """The hosts, with web's ports published as the program has them."""
    reason = hosts.missing()
    if reason is not None:
        pytest.skip(reason)
    with Network() as made:
        ports = {port.external: port.internal for port in container("web", settings).ports if port.ip == "0.0.0.0"}
        made.publish("tcp", 80, ports[80])
        yield made


@pytest.fixture(scope="module")
def authority(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running ACME server that finds every name at the Docker host; the certificate to trust it by."""
    for program in ("pebble", "pebble-challtestsrv"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on PATH (Debian: apt-get install pebble)")
    folder = tmp_path_factory.mktemp("pebble")
    chain, private_key = certificate(AUTHORITY)
    (folder / "chain.pem").write_text(chain)
    (folder / "key.pem").write_text(private_key)
    settings = {
        "listenAddress": f"{AUTHORITY}:14000",
        "managementListenAddress": f"{AUTHORITY}:15000",
        "certificate": str(folder / "chain.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    names = ("-defaultIPv4", HOST_ADDRESS[FRIEND, IPV4], "-defaultIPv6", "", "-dns01", "127.0.0.1:8053")
    off = ("-http01", "", "-https01", "", "-tlsalpn01", "", "-management", "127.0.0.1:8055")
    # Let it neither wait nor refuse at random, as it does by default to harden clients.
    calm = ("env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
    pebble = ("pebble", "-config", str(folder / "pebble.json"), "-dnsserver", "127.0.0.1:8053")
    running = []
    try:
        for command in (("pebble-challtestsrv", *names, *off), (*calm, *pebble)):
            running.append(network.start(FRIEND, *command))

        def listens() -> bool:
            assert all(one.poll() is None for one in running), "pebble ended"
            with network.socket(FRIEND, IPV4, "tcp") as probe:
                return probe.connect_ex((AUTHORITY, 14000)) == 0

        wait_until(listens, "pebble listens", 20)
        yield folder / "chain.pem"
    finally:
        for one in running:
            one.kill()
            one.wait(10)


def acme_sh(folder: Path, trust: Path, settings: Settings, port: int) -> tuple[list[str], Path]:
    """The image's own way, and where the chain lands."""
    environment = container("web", settings).plain_environment
    command = [
        *("acme.sh", "--home", str(folder), "--accountemail", environment["LETSENCRYPT_EMAIL"]),
        *("--set-default-ca", "--server", environment["LETSENCRYPT_ACME_SERVER"]),
        *("--issue", "--standalone", "--httpport", str(port), "-d", environment["LETSENCRYPT_DOMAIN"]),
        *("--ca-bundle", str(trust)),
    ]
    return command, folder / f"{NAME}_ecc" / "fullchain.cer"


def lego(folder: Path, trust: Path, settings: Settings, port: int) -> tuple[list[str], Path]:
    environment = container("web", settings).plain_environment
    command = [
        *("env", f"LEGO_CA_CERTIFICATES={trust}", "lego", "--accept-tos", "--path", str(folder)),
        *("--server", environment["LETSENCRYPT_ACME_SERVER"], "--email", environment["LETSENCRYPT_EMAIL"]),
        *("--domains", environment["LETSENCRYPT_DOMAIN"], "--http", "--http.port", f":{port}", "run"),
    ]
    return command, folder / "certificates" / f"{NAME}.crt"


CLIENTS: Final = {"acme.sh": acme_sh, "lego": lego}


def attempt(
    client: str, network: Network, authority: Path, settings: Settings, folder: Path, port: int
) -> tuple[subprocess.CompletedProcess[str], Path]:
    if shutil.which(client) is None:
        pytest.skip(f"no {client} on PATH")
    command, chain = CLIENTS[client](folder, authority, settings, port)
    return network.attempt(CONTAINER, "env", f"HOME={folder}", f"PATH={os.environ['PATH']}", *command), chain


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_comes_through_the_published_port(
    network: Network, authority: Path, settings: Settings, tmp_path: Path, client: str
) -> None:
    done, chain = attempt(client, network, authority, settings, tmp_path, topology.WEB_HTTP_PORT)
    assert done.returncode == 0, done.stdout + done.stderr
    first = x509.load_pem_x509_certificate(chain.read_bytes())
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]


@pytest.mark.parametrize("client", CLIENTS)
def test_at_another_port_of_the_container_none_comes(
    network: Network, authority: Path, settings: Settings, tmp_path: Path, client: str
) -> None:
    """So it was the way through port 80 that the test above saw."""
    done, chain = attempt(client, network, authority, settings, tmp_path, topology.WEB_HTTP_PORT + 1)
    assert done.returncode != 0
    assert not chain.exists()


def test_acme_sh_keeps_a_certificate_until_it_is_due_whoever_it_is_from(
    network: Network, authority: Path, settings: Settings, tmp_path: Path
) -> None:
    """Which is why docs/tls.md has the operator forget a staging certificate."""
    done, chain = attempt("acme.sh", network, authority, settings, tmp_path, topology.WEB_HTTP_PORT)
    assert done.returncode == 0, done.stdout + done.stderr
    before = chain.read_bytes()
    other = load(**{**DOMAIN, "letsencryptAcmeServer": "https://192.0.2.1/another"})
    done, _ = attempt("acme.sh", network, authority, other, tmp_path, topology.WEB_HTTP_PORT)
    skipped = 2
    assert done.returncode == skipped, "the image takes that for success"
    assert chain.read_bytes() == before
