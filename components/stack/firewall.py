"""nftables scripts for the hosts around a stack, as text: what must be open, and who may reach the broker.

Owns which ports the stack needs open and the scripts of the output `firewallRules`. Each script is a table of its
own, hooked before DNAT, so that a port that Docker publishes is met at its original number; no script has a drop
policy. Does not own the hosts' base policy: an accept in one table cannot lift a drop in another, so the lines that
open the ports stand ready as comments for the operator's own chains (docs/firewall.md). Loads nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from components.config.addresses import IpAddress, parse_ip
from components.config.ports import HeldPort
from components.config.settings import Settings

VIDEO_BACKEND: Final = "videoBackend"
RABBIT_MQ: Final = "rabbitMq"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NEW_TCP: Final = "tcp flags & (fin | syn | rst | ack) == syn"


@dataclass(frozen=True, kw_only=True)
class OpenPort:
    """A port, or range of ports, at which the Docker host is reached."""

    protocol: Literal["tcp", "udp"]
    ports: str
    """As nft takes it: `8443`, or `49152-65535` for a range."""
    address: IpAddress
    """Where it is published; `0.0.0.0` stands for every IPv4 address of the host, `::` for every IPv6 address."""
    why: str
    """What it serves, in a few words without quotation marks."""
    published: bool = True
    """True where Docker forwards it to a container, False where a process in the host's network has it."""

    @property
    def is_loopback(self) -> bool:
        """True where nobody but the host itself may reach it."""
        return self.address.is_loopback


def rules(settings: Settings, ports: Iterable[HeldPort]) -> dict[str, str]:
    """The scripts by the role of the host that loads them: `videoBackend` and, with a broker of one's own, `rabbitMq`.

    Args:
        settings: the stack's settings.
        ports: the ports that it holds.
    """
    scripts = {VIDEO_BACKEND: video_backend_rules(settings.stack, ports)}
    broker = rabbit_mq_rules(settings)
    return scripts if broker is None else scripts | {RABBIT_MQ: broker}


def open_ports(held: Iterable[HeldPort]) -> tuple[OpenPort, ...]:
    """What of the stack the Docker host is reached at."""
    return tuple(
        OpenPort(
            protocol=protocol,
            ports=f"{port.first}-{port.last}" if port.is_range else str(port.first),
            address=address,
            why=f"{port.service}, {port.purpose} ({port.key})",
            published=port.published,
        )
        for port in held
        for address in port.addresses
        for protocol in port.protocols
    )


def input_rules(ports: Iterable[OpenPort]) -> list[str]:
    """Rules for an input chain that drops by default: ports that a process of the host serves, docker-proxy too."""
    return [f"{_destination(one)} {one.protocol} dport {one.ports} accept" for one in ports if not one.is_loopback]


def forward_rules(ports: Iterable[OpenPort]) -> list[str]:
    """Rules for a forward chain that drops by default: ports that Docker forwards; both directions of a connection."""
    return [
        f"ct status dnat {_destination(one, 'ct original ')} "
        f"meta l4proto {one.protocol} ct original proto-dst {one.ports} accept"
        for one in ports
        if one.published and not one.is_loopback
    ]


def video_backend_rules(stack: str, held: Iterable[HeldPort]) -> str:
    """The script for the Docker host: counts what arrives for the stack, keeps loopback ports to the host itself."""
    ports = open_ports(held)
    table = f"videobackend-{stack}"
    lines = [
        f"# Video backend, stack {stack}: nftables rules for the Docker host.",
        *_loading(table),
        "#",
        "# Must be reachable:",
        *(f"#   {_described(one)}" for one in ports if not one.is_loopback),
        *(f"#   {_described(one)}: from this host only" for one in ports if one.is_loopback),
        "#",
        "# This table opens nothing: what another table drops stays dropped. Where the input or forward chain of your",
        "# own rules drops by default, add these lines to it.",
        *_commented("hook input (served by a process of this host, docker-proxy for one):", input_rules(ports)),
        *_commented("hook forward (published by Docker):", forward_rules(ports)),
        *_fresh(table),
        f"table inet {table} {{",
        "\t# Before DNAT. What arrives is counted: no packets here means that something in front of this host drops them.",
        "\tchain arrivals {",
        "\t\ttype filter hook prerouting priority raw; policy accept;",
        *(f"\t\t{_guard(one) if one.is_loopback else _counter(one)}" for one in ports if not _kernel_guards(one)),
        "\t}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def rabbit_mq_rules(settings: Settings) -> str | None:
    """The script for the RabbitMQ host: the video backend and the host itself reach rabbitUrl's port, nobody else.

    Where the video backend's addresses are not known, the script names what is missing by a variable without a
    value: nft refuses the whole file.

    Returns:
        None without statistics, or with a broker inside the stack.
    """
    if settings.statistics is None or settings.statistics.broker is None:
        return None
    url = urlsplit(settings.statistics.broker.url)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    table = _broker_table(settings)
    sources, missing = _broker_clients(settings, url.hostname or "")
    shared = [
        f"# Port {port} is often a proxy's: whatever else is served there is closed to others as well.",
        "#",
    ]
    lines = [
        f"# Video backend, stack {settings.stack}: nftables rules for the RabbitMQ host.",
        *_loading(table),
        "#",
        f"# TCP port {port} (rabbitUrl) takes connections from the video backend and from this host itself, and from nobody",
        "# else, whether RabbitMQ runs on the host or Docker publishes its port. No other port is touched.",
        "#",
        *(shared if port in _DEFAULT_PORTS.values() else []),
        *missing,
        *_fresh(table),
        f"table inet {table} {{",
        "\t# The video backend's addresses as this host sees them.",
        *_set("video_backend_ipv4", "ipv4_addr", sources[4]),
        *_set("video_backend_ipv6", "ipv6_addr", sources[6]),
        "",
        "\t# Before DNAT: a published port still has the number that the client asked for.",
        "\tchain arrivals {",
        "\t\ttype filter hook prerouting priority raw; policy accept;",
        f"\t\ttcp dport {port} fib daddr type local goto broker",
        "\t}",
        "",
        "\tchain broker {",
        '\t\tiif "lo" accept',
        "\t\tip saddr @video_backend_ipv4 counter accept",
        "\t\tip6 saddr @video_backend_ipv6 counter accept",
        "\t\tcounter drop",
        "\t}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _broker_table(settings: Settings) -> str:
    return f"rabbitmq-videobackend-{settings.stack}"


def _loading(table: str) -> list[str]:
    return [
        "# Load:   nft -f FILE    Loading again replaces the table and touches no other.",
        f"# Remove: nft delete table inet {table}",
    ]


def _fresh(table: str) -> list[str]:
    """One transaction makes the table anew; adding it first lets the deletion succeed the first time."""
    return ["", f"add table inet {table}", f"delete table inet {table}"]


def _commented(heading: str, lines: list[str]) -> list[str]:
    return [f"# {heading}", *(f"#   {line}" for line in lines)] if lines else []


def _described(one: OpenPort) -> str:
    at = f"every IPv{one.address.version} address" if one.address.is_unspecified else str(one.address)
    return f"{one.protocol} {one.ports} at {at}: {one.why}"


def _destination(one: OpenPort, prefix: str = "") -> str:
    """Match on the address that the port is published at. Docker takes 0.0.0.0 for IPv4 only and :: for IPv6 only."""
    if one.address.is_unspecified:
        return f"meta nfproto ipv{one.address.version}"
    return f"{prefix}{'ip' if one.address.version == 4 else 'ip6'} daddr {one.address}"


def _counter(one: OpenPort) -> str:
    """UDP has no mark of a first packet, so there each one counts."""
    match = f"{_destination(one)} {one.protocol} dport {one.ports}"
    new = f" {_NEW_TCP}" if one.protocol == "tcp" else ""
    return f'fib daddr type local {match}{new} counter comment "{one.why}"'


def _guard(one: OpenPort) -> str:
    """Docker before 28 hands a neighbour's packet for 127.0.0.1 to the container: DNAT comes before the kernel's check
    for addresses that no wire may carry (moby/moby#45610)."""
    return f'iif != "lo" ip daddr 127.0.0.0/8 {one.protocol} dport {one.ports} counter drop comment "{one.why}"'


def _kernel_guards(one: OpenPort) -> bool:
    """For ::1 the kernel's own check comes before every hook."""
    return one.is_loopback and one.address.version == 6


def _broker_clients(settings: Settings, broker: str) -> tuple[dict[int, list[str]], list[str]]:
    """Addresses from which the video backend calls, by IP version; and a comment on what is missing there."""
    addresses = [getattr(one.ip, "ipv4_mapped", None) or one.ip for one in settings.advertised_addresses]
    if not addresses:
        comment = [
            "# NOT LOADABLE YET: dockerHostAddress is not set, so nobody can tell who the video backend is. Set it",
            "# (pulumi config set dockerHostAddress 203.0.113.10, then pulumi up), or put the video backend's addresses here",
            "# in place of $dockerHostAddress_is_not_set.",
        ]
        return {4: ["$dockerHostAddress_is_not_set"], 6: []}, comment
    if parse_ip(broker) in addresses:
        comment = [
            "# NOT LOADABLE YET: rabbitUrl and dockerHostAddress name the same machine. There the broker sees the address of",
            "# the prosody container: put the subnets of its networks (docker network inspect) here in place of",
            "# $subnets_of_prosody. Simpler: publish the broker's port at an address that only Docker's networks reach.",
        ]
        return {4: ["$subnets_of_prosody"], 6: []}, comment
    comment = [
        "# The addresses are those of dockerHostAddress. Where this host sees the video backend at another one (NAT, a private",
        "# network), or serves several stacks, load this one script only and then add what is missing:",
        f"#   nft add element inet {_broker_table(settings)} video_backend_ipv4 '{{ 10.0.0.5 }}'",
    ]
    unique = dict.fromkeys(addresses)
    return {version: [str(one) for one in unique if one.version == version] for version in (4, 6)}, comment


def _set(name: str, kind: str, elements: list[str]) -> list[str]:
    content = [f"\t\telements = {{ {', '.join(elements)} }}"] if elements else []
    return [f"\tset {name} {{", f"\t\ttype {kind}", "\t\tflags interval", *content, "\t}"]
