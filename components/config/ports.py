"""The ports that a stack holds on its Docker host: one table, for every module that publishes, opens, tries or names one.

`held_ports(settings)` yields a `HeldPort` for each configuration key that is in use, in this order:

    key             service  purpose        protocols  network  addresses
    httpPort        web      HTTP           tcp        bridge   web_bind_addresses
    httpsPort       web      HTTPS          tcp        bridge   web_bind_addresses; not with tls proxy
    jvbPort         jvb      media          udp        bridge   jvb_bind_addresses
    turnPort        coturn   TURN           tcp, udp   host     jvb_bind_addresses; with turn embedded
    turnsPort       coturn   TURN with TLS  tcp        host     jvb_bind_addresses; where it has a certificate
    turnRelayPorts  coturn   relay          udp        host     the relay's alone; a range, of which any may be taken

On network `bridge` Docker publishes a port, on `host` the service listens in the Docker host's own network. Does not
own what a service does with a port inside its container.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from components.config.addresses import IpAddress
from components.config.settings import Settings
from components.config.tables.ports import BLOCKED_FOR_PAGES, BLOCKED_FOR_STUN

Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True, kw_only=True)
class HeldPort:
    """A port, or range of ports, of the Docker host."""

    key: str
    """The configuration key that changes it."""
    service: str
    purpose: str
    """What it serves, in a few words without quotation marks."""
    first: int
    last: int
    """Included; the same as `first` but for a range."""
    protocols: tuple[Protocol, ...]
    addresses: tuple[IpAddress, ...]
    """Of the Docker host; `0.0.0.0` stands for each of its IPv4 addresses, `::` for each of its IPv6 addresses."""
    network: Literal["bridge", "host"]

    @property
    def published(self) -> bool:
        """True where Docker forwards it to a container."""
        return self.network == "bridge"

    @property
    def is_range(self) -> bool:
        """True for ports of which the service takes those that are free."""
        return self.first != self.last


def is_usable(key: str, number: int) -> bool:
    """Whether a key's service could be at this port for its clients: browsers open some ports for no page or server."""
    blocked = {"httpsPort": BLOCKED_FOR_PAGES, "turnPort": BLOCKED_FOR_STUN, "turnsPort": BLOCKED_FOR_STUN}
    return number not in blocked.get(key, ())


def held_ports(settings: Settings) -> Iterator[HeldPort]:
    """The ports of a stack, in the order of the table above."""
    web = settings.web_bind_addresses
    yield _one("httpPort", "web", "HTTP", settings.http_port, ("tcp",), addresses=web)
    if not settings.tls.by_proxy:
        yield _one("httpsPort", "web", "HTTPS", settings.https_port, ("tcp",), addresses=web)
    bound = settings.jvb_bind_addresses
    yield _one("jvbPort", "jvb", "media", settings.jvb_port, ("udp",), addresses=bound)
    turn = settings.turn
    if turn is None or turn.relay is None:
        return
    yield _one("turnPort", "coturn", "TURN", turn.port, ("tcp", "udp"), addresses=bound, network="host")
    if turn.tls_port is not None:
        yield _one("turnsPort", "coturn", "TURN with TLS", turn.tls_port, ("tcp",), addresses=bound, network="host")
    relay = turn.relay
    yield HeldPort(
        key="turnRelayPorts",
        service="coturn",
        purpose="relay",
        first=relay.first_port,
        last=relay.last_port,
        protocols=("udp",),
        addresses=(relay.address,) if relay.has_address else (),
        network="host",
    )


def _one(
    key: str,
    service: str,
    purpose: str,
    number: int,
    protocols: tuple[Protocol, ...],
    *,
    addresses: tuple[IpAddress, ...],
    network: Literal["bridge", "host"] = "bridge",
) -> HeldPort:
    return HeldPort(
        key=key,
        service=service,
        purpose=purpose,
        first=number,
        last=number,
        protocols=protocols,
        addresses=addresses,
        network=network,
    )
