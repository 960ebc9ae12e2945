"""What must be there before `pulumi up` makes anything: settings, Docker, images or a way to them, free ports.

Owns these checks and their messages, what a first use finds out about this machine, and whether all containers run
after an `up` that had nothing to do with them. Changes nothing. Asks Docker through its CLI; where that is missing,
Pulumi's own messages must do.
"""

from __future__ import annotations

import errno
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from components.config.load import load_all
from components.config.ports import held_ports
from components.config.settings import DEFAULT_DOCKER_URL, Settings
from components.resources.docker_cli import DockerCli
from components.resources.docker_host import LABEL_ROLE, LABEL_STACK
from components.stack import firewall, services, topology
from components.stack.spec import PortSpec
from ops.errors import OpsError
from ops.project import stackfile

_DOCUMENTATION_ADDRESS: Final = ("192.0.2.1", 9)
"""TEST-NET-1 (RFC 5737): the route to it is the default one; a UDP socket's connect sends nothing."""


def check_settings(stack: str, content: Mapping[str, Any], root: Path) -> Settings:
    """The stack's settings, encrypted values aside. Raises SettingsError with every problem."""
    project = stackfile.read_project(root)
    config = stackfile.engine_config(content, project)
    return load_all(config.values, stack=stack, secret_keys=config.secret_keys, project=project["name"])


def is_local(settings: Settings) -> bool:
    """True where the Docker host is this machine."""
    return isinstance(settings.docker_url, str) and settings.docker_url.startswith("unix://") and not _context(settings)


def _context(settings: Settings) -> str:
    return str(settings.docker.get("context") or "")


def current_docker_host() -> str:
    """The host that `docker` talks to now: DOCKER_HOST, or the context's; the default one where docker is missing."""
    if not shutil.which("docker"):
        return DEFAULT_DOCKER_URL
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # by the environment, for once
    host = run.stdout.strip()
    return host if run.returncode == 0 and host else DEFAULT_DOCKER_URL


def lan_address() -> str | None:
    """This machine's address in its network, as the default route has it; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION_ADDRESS)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") or address == "0.0.0.0" else address


def check_docker(settings: Settings) -> bool:
    """Whether Docker could be asked, and so the other checks can. Raises OpsError where it cannot be used."""
    docker = DockerCli.of(settings)
    host = str(settings.docker_url)
    if not shutil.which("docker"):
        if not is_local(settings) or Path(host.removeprefix("unix://")).exists():
            return False
        raise OpsError("Docker is not installed: https://docs.docker.com/engine/install/")
    if docker.unusable:
        return False
    run = docker.run("version", "--format", "{{.Server.Version}}")
    if run.returncode == 0:
        return True
    said = _last_line(run.stderr)
    if "permission denied" in run.stderr.lower() and is_local(settings):
        raise OpsError(
            f"your user may not use Docker ({host}): sudo usermod -aG docker $USER, then log in again; "
            f"members of that group have root's power on this machine"
        )
    if is_local(settings):
        raise OpsError(f"the Docker daemon does not answer at {host}: start it, sudo systemctl start docker ({said})")
    raise OpsError(f"the Docker host {_context(settings) or host} does not answer: {said}")


def check_images(settings: Settings) -> None:
    """That each image is on the Docker host, or its registry can be found from here. Raises OpsError."""
    missing = [image for image in _images(settings) if DockerCli.of(settings).run("image", "inspect", image).returncode]
    if not missing or not is_local(settings):
        return
    proxy = DockerCli.of(settings).run("info", "--format", "{{.HTTPSProxy}}{{.HTTPProxy}}")
    if proxy.stdout.strip():
        return
    for image in missing:
        registry = _registry(image)
        try:
            socket.getaddrinfo(registry.partition(":")[0], None)
        except OSError:
            raise OpsError(
                f"no network: {image} is not on this machine and its registry {registry} cannot be found; connect to "
                f"the network, or bring the images with docker save and docker load: {' '.join(missing)}"
            ) from None


def _images(settings: Settings) -> list[str]:
    return sorted({spec.image for spec in services.specs(settings)})


def _registry(image: str) -> str:
    """The registry's host in an image reference; the first part is one if it has a dot, a port or is localhost."""
    first, slash, _ = image.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else "registry-1.docker.io"


def check_ports(settings: Settings, stack: str) -> None:
    """That every port the stack takes of a local Docker host is free or its own already. Raises OpsError.

    Of TURN's relay ports any may be taken: coturn passes over those.
    """
    if not is_local(settings):
        return
    taken = dict(_published(settings))
    for spec in services.specs(settings):
        for port in spec.ports:
            owner, container = taken.get((port.protocol, port.external), ("", ""))
            if owner == stack:
                continue
            if container:
                raise OpsError(f"{_named(settings, port)} is taken by the container {container}; {_other_port(port)}")
            _check_free(settings, port)
    if not _runs(settings, stack, topology.COTURN):
        for port in _turn_ports(settings):
            _check_free(settings, port)


def check_not_elsewhere(settings: Settings, stack: str) -> None:
    """For a stack that the state does not know: that the Docker host does not know it either. Raises OpsError."""
    label = f"label={LABEL_STACK}={stack}"
    names = DockerCli.of(settings).run("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout.split()
    if names:
        raise OpsError(
            f"the Docker host runs a stack {stack!r} that this directory knows nothing of (another checkout's, or the "
            f"state is lost): use that checkout, give this stack another name, or remove them: "
            f"docker rm --force {' '.join(names)}"
        )


def check_running(settings: Settings, stack: str) -> None:
    """That none of the stack's containers is down: the engine does not look at those it leaves. Raises OpsError."""
    columns = f'{{{{.Label "{LABEL_ROLE}"}}}}\t{{{{.Names}}}}\t{{{{.Status}}}}'
    docker = DockerCli.of(settings)
    run = docker.run("ps", "--all", "--filter", f"label={LABEL_STACK}={stack}", "--format", columns)
    for line in run.stdout.splitlines():
        role, name, status = line.split("\t")
        if not status.startswith("Up ") or "(unhealthy)" in status or "(Paused)" in status:
            raise OpsError(
                f"{role} does not run as it should, and no change of the stack fixes it ({status}): "
                f"{docker.typed('logs', '--tail', '20', name)} may say why, {docker.typed('restart', name)} starts it "
                f"again"
            )


def _check_free(settings: Settings, port: PortSpec) -> None:
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in port.ip else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if port.protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's rest does not hold it
        try:
            probe.bind((port.ip, port.external))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                look = f"ss --listening --numeric --processes --{port.protocol} 'sport = :{port.external}'"
                raise OpsError(
                    f"{_named(settings, port)} is taken by another program (sudo {look} shows which); {_other_port(port)}"
                ) from None
            if error.errno == errno.EADDRNOTAVAIL:
                raise OpsError(
                    f"{port.ip} is no address of this machine: correct bindAddress or jvbBindAddress"
                ) from None
            # Ports below 1024 are root's, and Docker's: whether they are free cannot be tried from here.


def _named(settings: Settings, port: PortSpec) -> str:
    keys = {(protocol, one.first): one.key for one in held_ports(settings) for protocol in one.protocols}
    return f"{port.protocol.upper()} port {port.external} ({keys[port.protocol, port.external]})"


def _other_port(port: PortSpec) -> str:
    return f"stop it, or choose a port other than {port.external} in the stack file"


def _turn_ports(settings: Settings) -> Iterator[PortSpec]:
    """Where coturn listens, which shares the host's network and so publishes nothing."""
    for one in firewall.open_ports(settings):
        if not one.published and one.ports.isdecimal():
            number = int(one.ports)
            yield PortSpec(internal=number, external=number, protocol=one.protocol, ip=str(one.address))


def _runs(settings: Settings, stack: str, role: str) -> bool:
    """Whether the stack's container of this role runs."""
    labels = (f"{LABEL_STACK}={stack}", f"{LABEL_ROLE}={role}")
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    return bool(DockerCli.of(settings).run("ps", "--quiet", *filters).stdout.strip())


def _published(settings: Settings) -> Iterator[tuple[tuple[str, int], tuple[str, str]]]:
    """Published ports of running containers: ((protocol, port), (stack label, container))."""
    columns = "\t".join([f'{{{{.Label "{LABEL_STACK}"}}}}', "{{.Names}}", "{{.Ports}}"])
    run = DockerCli.of(settings).run("ps", "--format", columns)
    for line in run.stdout.splitlines():
        owner, name, ports = [*line.split("\t"), "", ""][:3]
        for low, high, protocol in re.findall(r":(\d+)(?:-(\d+))?->[\d-]+/(tcp|udp)", ports):
            for number in range(int(low), int(high or low) + 1):
                yield (protocol, number), (owner, name)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "docker said nothing"
