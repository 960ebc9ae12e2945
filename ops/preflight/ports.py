"""Whether the addresses at which the stack publishes are a local Docker host's own, and the ports there free."""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from components.config.ports import held_ports, is_usable
from components.config.settings import Settings
from components.resources.docker_cli import DockerCli
from components.stack import firewall, services, topology
from components.stack.spec import PortSpec
from components.stack.topology import LABEL_ROLE, LABEL_STACK
from ops.errors import OpsError
from ops.preflight.docker import is_local

_PRIVILEGED: Final = 1024
_ABOVE: Final = 8000
"""What a privileged port is moved by: 80 to 8080, 443 to 8443."""
_LAST: Final = 65535


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


def check_ports(settings: Settings, stack: str, command: Callable[[Sequence[str]], str]) -> None:
    """That every address is the local Docker host's, and every port the stack takes there free or its own already.

    Of TURN's relay ports any may be taken: coturn passes over those.

    Args:
        settings: the stack's.
        stack: its name.
        command: from the words of a `config set` to the command as an operator types it.

    Raises:
        OpsError: with every address that is another machine's; or every port that is taken, by whom, and the commands
            that choose others.
    """
    if not is_local(settings):
        return
    if foreign := list(_foreign(settings)):
        raise OpsError(
            f"{'; '.join(foreign)}: take one that `ip -brief address` shows, 0.0.0.0 for all of IPv4, :: of IPv6"
        )
    published = list(_published(settings))
    taken: dict[PortSpec, str] = {}
    for spec in services.specs(settings):
        for port in spec.ports:
            holders = [one for one in published if one.holds(port)]
            if others := [one.container for one in holders if one.stack != stack]:
                taken[port] = f"the container {others[0]}"
            elif not holders and (program := _program_at(port)):
                taken[port] = program
    if not _runs(settings, stack, topology.COTURN):
        taken |= {port: holder for port in _turn_ports(settings) if (holder := _program_at(port))}
    if taken:
        problems = list(
            dict.fromkeys(f"{_named(settings, port)} is taken by {holder}" for port, holder in taken.items())
        )
        free = " && ".join(map(command, _other_ports(settings, list(taken), published)))
        choose = f", or choose {'another one' if len(problems) == 1 else 'others'}: {free}" if free else ""
        raise OpsError(f"{'; '.join(problems)}; stop {'it' if len(problems) == 1 else 'what holds them'}{choose}")


def _foreign(settings: Settings) -> Iterator[str]:
    """Addresses that this machine does not have, whoever holds the stack's ports at others."""
    for key, addresses in (
        ("bindAddress", settings.web_bind_addresses),
        ("jvbBindAddress", settings.jvb_bind_addresses),
    ):
        for address in addresses:
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.bind((str(address), 0))
            except OSError as error:
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    yield f"{address} ({key}) is no address of this machine"


def _program_at(port: PortSpec) -> str:
    """The program that has the port, with the command that shows it; empty where it is free."""
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
                return f"another program (sudo {look} shows which)"
            # Ports below 1024 are root's, and Docker's: whether they are free cannot be tried from here.
    return ""


def _named(settings: Settings, port: PortSpec) -> str:
    return f"{port.protocol.upper()} port {port.external} ({_key(settings, port)})"


def _key(settings: Settings, port: PortSpec) -> str:
    keys = {(protocol, one.first): one.key for one in held_ports(settings) for protocol in one.protocols}
    return keys[port.protocol, port.external]


def _other_ports(settings: Settings, taken: Sequence[PortSpec], published: Sequence[Published]) -> Iterator[list[str]]:
    """The words of each `config set` that moves what is taken to the next free port, and publicUrl with it."""
    used = {number for one in held_ports(settings) for number in range(one.first, one.last + 1)}
    moved: dict[str, list[PortSpec]] = {}
    for port in taken:
        moved.setdefault(_key(settings, port), []).append(port)
    if settings.tls_mode == "letsencrypt":
        moved.pop("httpPort", None)  # which asks at port 80 and nowhere else
    for key, ports in moved.items():
        number = ports[0].external + (_ABOVE if ports[0].external < _PRIVILEGED else 1)
        number = number if number <= _LAST else _PRIVILEGED
        while (
            number in used or not is_usable(key, number) or not all(_is_free(port, number, published) for port in ports)
        ):
            number = number + 1 if number < _LAST else _PRIVILEGED
        used.add(number)
        yield ["set", key, str(number)]
        url = settings.public_url
        if key == "httpsPort" and url.port == settings.https_port:
            yield ["set", "publicUrl", dataclasses.replace(url, port=number).origin]


def _is_free(port: PortSpec, number: int, published: Sequence[Published]) -> bool:
    other = dataclasses.replace(port, external=number)
    return not (any(one.holds(other) for one in published) or _program_at(other))


def _turn_ports(settings: Settings) -> Iterator[PortSpec]:
    """Where coturn listens, which shares the host's network and so publishes nothing."""
    for one in firewall.open_ports(held_ports(settings)):
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
