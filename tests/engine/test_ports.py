"""Ports are tried as Docker publishes them: `::` is IPv6 alone, and another address of the host is no matter."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from ops import preflight
from ops.errors import OpsError
from tests.engine.docker_host import docker
from tests.engine.standin import Variant
from tests.engine.toolbox import Toolbox
from tests.engine.workspace import free_ports
from tests.values import load

CASES = [
    # published by another container at, wanted at, taken
    ("[::]", "::", True),
    ("[::]", "0.0.0.0", False),
    ("[::]", "127.0.0.1", False),
    ("[::]", "::1", True),
    ("0.0.0.0", "0.0.0.0", True),
    ("0.0.0.0", "127.0.0.1", True),
    ("0.0.0.0", "::", False),
    ("127.0.0.1", "127.0.0.1", True),
    ("127.0.0.1", "127.0.0.2", False),
    ("127.0.0.1", "0.0.0.0", True),
    ("127.0.0.1", "::", False),
    ("[::1]", "::1", True),
    ("[::1]", "::", True),
    ("[::1]", "127.0.0.1", False),
]


@contextlib.contextmanager
def publishing(image: str, address: str, port: int, name: str) -> Iterator[None]:
    docker("run", "--detach", "--name", name, "--publish", f"{address}:{port}:80", image)
    try:
        yield
    finally:
        docker("rm", "--force", "--volumes", name)


def says_taken(address: str, port: int) -> str:
    """What the check says of a stack that wants the port there; empty where it is free."""
    settings = load(httpPort=str(port), bindAddress=address, dockerHostAddress="10.11.12.13", httpsPort=str(port + 1))
    try:
        preflight.check_ports(settings, "another", " ".join)
    except OpsError as error:
        return str(error)
    return ""


def docker_takes(image: str, address: str, port: int, name: str) -> bool:
    """Whether Docker itself would publish the port there."""
    place = f"[{address}]" if ":" in address else address
    command = ["docker", "run", "--detach", "--name", name, "--publish", f"{place}:{port}:80", image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)
    return done.returncode == 0


def test_a_port_is_taken_where_docker_would_say_so(tools: Toolbox, images: None) -> None:
    from tests.engine.conftest import GOOD

    image = next(Variant(GOOD).image(spec) for role, spec in Variant(GOOD).everything.items() if role == "web")
    wrong = []
    for published, wanted, taken in CASES:
        port = free_ports()[0]
        name = f"videobackend-ports-{port}"
        with publishing(image, published, port, name):
            output = says_taken(wanted, port)
            ours = f"TCP port {port} (httpPort) is taken by the container {name}" in output
            theirs = not docker_takes(image, wanted, port, f"{name}-second")
        if (ours, theirs) != (taken, taken):
            wrong.append((published, wanted, taken, ours, theirs, output))
    assert wrong == []


def test_without_a_container_the_port_is_free(tools: Toolbox) -> None:
    for address in ("0.0.0.0", "::", "127.0.0.1", "::1"):
        assert says_taken(address, free_ports()[0]) == ""
