"""Whether the ports that the stack takes of a local Docker host are free."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from components.config.ports import held_ports
from components.config.settings import Settings
from components.resources.docker_cli import DockerCli
from components.stack import firewall, services, topology
from components.stack.spec import PortSpec
from components.stack.topology import LABEL_ROLE, LABEL_STACK
from ops.errors import OpsError
from ops.preflight.docker import is_local


@dataclass(frozen=True)
class Published:
    """Ports that a container has published.

    Args:
        stack: its stack label; empty where it has none.
        container: its name.
        address: where they are published.
        protocol: tcp or udp.
        first: the lowest of them.
        last: the highest.
    """

    stack: str
    container: str
    address: str
    protocol: str
    first: int
    last: int

    def holds(self, port: PortSpec) -> bool:
        """Whether the port is one of them: another address of the same machine is no matter."""
        return (
            self.protocol == port.protocol
            and self.first <= port.external <= self.last
            and _overlap(self.address, port.ip)
        )


def _overlap(one: str, other: str) -> bool:
    """Whether two addresses of a machine share a port; Docker publishes `::` for IPv6 alone."""
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    return first.version == second.version and (first == second or first.is_unspecified or second.is_unspecified)


def check_ports(settings: Settings, stack: str) -> None:
    """That every port the stack takes of a local Docker host is free or its own already. Raises OpsError.

    Of TURN's relay ports any may be taken: coturn passes over those.
    """
    if not is_local(settings):
        return
    taken = list(_published(settings))
    for spec in services.specs(settings):
        for port in spec.ports:
            holders = [one for one in taken if one.holds(port)]
            if any(one.stack == stack for one in holders):
                continue
            if holders:
                name = holders[0].container
                raise OpsError(f"{_named(settings, port)} is taken by the container {name}; {_other_port(port)}")
            _check_free(settings, port)
    if not _runs(settings, stack, topology.COTURN):
        for port in _turn_ports(settings):
            _check_free(settings, port)


def _check_free(settings: Settings, port: PortSpec) -> None:
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in port.ip else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if port.protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's rest does not hold it
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as Docker does it
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


def _published(settings: Settings) -> Iterator[Published]:
    """What running containers have published."""
    columns = "\t".join([f'{{{{.Label "{LABEL_STACK}"}}}}', "{{.Names}}", "{{.Ports}}"])
    run = DockerCli.of(settings).run("ps", "--format", columns)
    for line in run.stdout.splitlines():
        owner, name, ports = [*line.split("\t"), "", ""][:3]
        for address, low, high, protocol in re.findall(
            r"([0-9a-fA-F.:\[\]]+):(\d+)(?:-(\d+))?->[\d-]+/(tcp|udp)", ports
        ):
            yield Published(owner, name, address.strip("[]"), protocol, int(low), int(high or low))
