"""coturn: an optional TURN server, for people whose network blocks UDP.

Owns its container and configuration: who may use it (holders of a credential that prosody hands out), and where it
may relay to (public addresses and the stack's own bridge, never a private network). Its network is its own.
"""

from __future__ import annotations

from typing import Final

from components import images, topology
from components.addresses import IpAddress
from components.services.common import tcp_health
from components.settings import Settings
from components.spec import ContainerSpec, FileSpec, PortSpec, SecretRef

CONFIG: Final = "/etc/coturn/videobackend.conf"
CERTIFICATE: Final = "/etc/coturn/videobackend.crt"
PRIVATE_KEY: Final = "/etc/coturn/videobackend.key"

DENIED_PEERS: Final = (
    "0.0.0.0-0.255.255.255",
    "10.0.0.0-10.255.255.255",
    "100.64.0.0-100.127.255.255",
    "127.0.0.0-127.255.255.255",
    "169.254.0.0-169.254.255.255",
    "172.16.0.0-172.31.255.255",
    "192.0.0.0-192.0.0.255",
    "192.168.0.0-192.168.255.255",
    "198.18.0.0-198.19.255.255",
    "224.0.0.0-255.255.255.255",
    "::-::ffff:ffff:ffff",
    "64:ff9b::-64:ff9b:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
)
"""Everything that is not the public internet (IANA's special-purpose registries), also inside IPv6 (mapped, NAT64,
6to4, Teredo): a TURN server that relays there opens the host's own networks to whoever holds a credential."""


def spec(settings: Settings) -> ContainerSpec:
    """The TURN server's container. Its own ports are published as they are inside, since it names them to clients."""
    files = [FileSpec(path=CONFIG, content=SecretRef("turn_config"))]
    if settings.turn_tls:
        files.append(FileSpec(path=CERTIFICATE, content=SecretRef("tls_certificate")))
        files.append(FileSpec(path=PRIVATE_KEY, content=SecretRef("tls_private_key")))
    return ContainerSpec(
        role=topology.COTURN,
        image=images.COTURN,
        # The image's own command asks third parties for this machine's address.
        command=("-c", CONFIG),
        environment={"TZ": settings.time_zone},
        health=tcp_health(settings.turn_port),
        networks=(topology.TURN_NETWORK,),
        aliases=(topology.COTURN,),
        ports=_ports(settings),
        files=tuple(files),
        tmpfs={"/tmp": topology.TMPFS["/tmp"]},
        restart=settings.restart_policy,
        log_max_size=settings.log_max_size,
        log_max_files=settings.log_max_files,
    )


def _ports(settings: Settings) -> tuple[PortSpec, ...]:
    first, last = settings.turn_relay_ports
    listening: list[PortSpec] = []
    for ip in map(str, settings.jvb_bind_address):
        listening += [
            PortSpec(internal=settings.turn_port, external=settings.turn_port, protocol="tcp", ip=ip),
            PortSpec(internal=settings.turn_port, external=settings.turn_port, protocol="udp", ip=ip),
            *(PortSpec(internal=port, external=port, protocol="udp", ip=ip) for port in range(first, last + 1)),
        ]
        if settings.turn_tls:
            port = settings.turns_port
            listening.append(PortSpec(internal=port, external=port, protocol="tcp", ip=ip))
    return tuple(sorted(listening, key=lambda one: (one.internal, one.protocol, one.ip)))


def relay_address(settings: Settings) -> IpAddress:
    """The address that clients are told: coturn takes one, and a public one reaches most of them."""
    found = [address for address in settings.addresses if address.ip.version == 4]
    return min(found, key=lambda address: address.is_private).ip


def config(settings: Settings, secret: str) -> str:
    """coturn's configuration file (turnserver(1))."""
    first, last = settings.turn_relay_ports
    lines = [
        "# Written by videobackend: change the stack's configuration, not this file.",
        f"listening-port={settings.turn_port}",
        f"min-port={first}",
        f"max-port={last}",
        f"realm={settings.public_url.host}",
        f"server-name={settings.public_url.host}",
        "fingerprint",
        "# Prosody makes a credential for each session from this secret (draft-uberti-behave-turn-rest).",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "stale-nonce=600",
        "# What clients are told instead of the container's own address.",
        f"external-ip={relay_address(settings)}",
        "# UDP to public addresses only, and to the bridge.",
        "no-tcp-relay",
        "no-multicast-peers",
        *(f"denied-peer-ip={peers}" for peers in DENIED_PEERS),
        *(f"allowed-peer-ip={address.ip}" for address in settings.addresses if address.is_private),
        "no-cli",
        "no-dtls",
        "no-software-attribute",
        "log-file=stdout",
        "simple-log",
        "pidfile=/tmp/turnserver.pid",
        "userdb=/tmp/turndb",
    ]
    if settings.turn_tls:
        lines += [f"tls-listening-port={settings.turns_port}", f"cert={CERTIFICATE}", f"pkey={PRIVATE_KEY}"]
    else:
        lines += ["no-tls"]
    return "\n".join(lines) + "\n"
