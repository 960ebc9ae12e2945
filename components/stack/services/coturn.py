"""coturn: an optional TURN server, for people whose network blocks UDP.

Owns its container and configuration: who may use it (holders of a credential that prosody hands out), and where it
may relay to (public addresses and the Docker host, whose media port is the bridge; never a private network).

With tls letsencrypt its certificate is the one that web keeps and renews on its volume; otherwise it is uploaded.

It shares the Docker host's network. In a network of its own, coturn would take the bridge's address, which is its own
outside, for itself inside; and what docker-proxy before Docker 28 sends back for the bridge comes from an address that
no permission is for (moby/moby#11998).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from components.config.settings import Settings
from components.config.values import Relay, Turn
from components.stack import topology
from components.stack.services import web_volume
from components.stack.services.common import Shared, tcp_health
from components.stack.spec import ContainerSpec, FileSpec, SecretRef, SecretText

CONFIG: Final = "/etc/coturn/videobackend.conf"
START: Final = "/etc/coturn/videobackend.sh"
CERTIFICATE: Final = "/etc/coturn/videobackend.crt"
PRIVATE_KEY: Final = "/etc/coturn/videobackend.key"

_FIRST_UNPRIVILEGED_PORT: Final = 1024
"""Linux's default (ip_unprivileged_port_start), which counts in the host's network; within Docker's own it is 0."""

DENIED_PEERS: Final = (
    "0.0.0.0-0.255.255.255",
    "10.0.0.0-10.255.255.255",
    "100.64.0.0-100.127.255.255",
    "127.0.0.0-127.255.255.255",
    "169.254.0.0-169.254.255.255",
    "172.16.0.0-172.31.255.255",
    "192.0.0.0-192.0.0.255",
    "192.88.99.0-192.88.99.255",
    "192.168.0.0-192.168.255.255",
    "198.18.0.0-198.19.255.255",
    "224.0.0.0-255.255.255.255",
    "::1-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
)
"""What is not the public internet (IANA's special-purpose registries but for the documentation's addresses; of IPv6 all
but 2000::/3), also inside IPv6 (mapped, NAT64, 6to4, Teredo): a TURN server that relays there opens the host's own
networks to whoever holds a credential. A range from :: on would match every IPv4 address too."""


RENEWING: Final = f"""\
#!/bin/sh
# Written by videobackend. At SIGUSR2 coturn reads its certificate again, which web renews; connections go on.
(while sleep 43200; do kill -USR2 $$; done) &
exec turnserver -c {CONFIG}
"""
"""Becomes coturn, and twice a day, as often as web looks for a new certificate, tells it to look too."""


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The TURN server's container. Raises ValueError for settings without one of the stack's own."""
    turn = settings.turn
    if turn is None or turn.relay is None:
        raise ValueError("turn is not embedded")
    shares_volume = settings.tls.acme is not None
    realm = settings.public_url.host
    certificate = web_volume.certificate_files(realm) if shares_volume else (CERTIFICATE, PRIVATE_KEY)
    render = partial(config, turn, turn.relay, realm, certificate)
    files = [FileSpec(path=CONFIG, content=SecretText(made_from=("turn_secret",), render=render))]
    if shares_volume:
        files.append(FileSpec(path=START, content=RENEWING))
    elif turn.tls_port is not None:
        files.append(FileSpec(path=CERTIFICATE, content=SecretRef("tls_certificate")))
        files.append(FileSpec(path=PRIVATE_KEY, content=SecretRef("tls_private_key")))
    return ContainerSpec(
        **shared,
        # The image's own command asks third parties for this machine's address.
        command=("sh", START) if shares_volume else ("-c", CONFIG),
        # The private key there is readable for web's user alone.
        user=web_volume.USER if shares_volume else None,
        # turnserver's file has it, and the kernel starts no program whose capabilities are out of reach.
        capabilities=("CAP_NET_BIND_SERVICE",),
        gains_capabilities=min(turn.port, turn.tls_port or turn.port) < _FIRST_UNPRIVILEGED_PORT,
        environment={"TZ": settings.time_zone},
        health=tcp_health(turn.port, str(turn.relay.address)),
        networks=(),
        host_network=True,
        files=tuple(files),
        volumes=(web_volume.volume(read_only=True),) if shares_volume else (),
        # web is healthy once it has the certificate; without one coturn would start without TLS.
        starts_after=(topology.WEB,) if shares_volume else (),
    )


def config(turn: Turn, relay: Relay, realm: str, certificate: tuple[str, str], secret: str) -> str:
    """coturn's configuration file (turnserver(1)).

    Args:
        turn: what clients are told of it.
        relay: where it relays.
        realm: the realm of its credentials.
        certificate: paths of the certificate chain and the private key in the container; with `turn.tls_port`.
        secret: what it shares with prosody.
    """
    advertised, own = relay.advertised_address, relay.address
    bound = () if any(ip.is_unspecified for ip in relay.listen_addresses) else relay.listen_addresses
    reachable = {own: None} | {one.ip: None for one in relay.advertised_addresses if one.ip.version == 4}
    lines = [
        "# Written by videobackend: change the stack's configuration, not this file.",
        *(f"listening-ip={ip}" for ip in bound),
        f"listening-port={turn.port}",
        f"relay-ip={own}",
        f"min-port={relay.first_port}",
        f"max-port={relay.last_port}",
        *([f"external-ip={advertised}/{own}"] if advertised != own else []),
        f"realm={realm}",
        f"server-name={realm}",
        "fingerprint",
        "# Prosody makes a credential for each session from this secret (draft-uberti-behave-turn-rest).",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "stale-nonce=600",
        "# UDP to public addresses and the bridge, and nowhere else.",
        "no-tcp-relay",
        "no-multicast-peers",
        *(f"denied-peer-ip={peers}" for peers in DENIED_PEERS),
        *(f"allowed-peer-ip={ip}" for ip in reachable),
        "no-cli",
        "no-dtls",
        "no-software-attribute",
        "log-file=stdout",
        "simple-log",
        "pidfile=/tmp/turnserver.pid",
        "userdb=/tmp/turndb",
    ]
    if turn.tls_port is not None:
        chain, private_key = certificate
        lines += [f"tls-listening-port={turn.tls_port}", f"cert={chain}", f"pkey={private_key}"]
    else:
        lines += ["no-tls"]
    return "\n".join(lines) + "\n"
