"""Settings that belong together, as one value each: TLS, the TURN server, statistics, the VideoService, a variable of an image.

Owns their shape and what each says of itself. Does not own which configuration keys they are made from (`settings`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from components.config.addresses import HostAddress, IpAddress
from components.config.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Acme:
    """Where web gets its certificate by ACME."""

    directory: str
    """URL of the authority's directory."""
    email: str | None
    staging: bool
    trusted: bool
    """True where every browser trusts its certificates; of another authority that is not known."""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Who serves HTTPS with which certificate."""

    mode: str
    """One of `checks.TLS_MODES`."""
    certificate: Secret | None
    """The operator's own chain, PEM; with mode `own`."""
    private_key: Secret | None
    acme: Acme | None
    """With mode `letsencrypt`."""

    @property
    def by_proxy(self) -> bool:
        """True where a proxy in front serves HTTPS, and web plain HTTP alone."""
        return self.mode == "proxy"

    @property
    def certificate_uploaded(self) -> bool:
        """True where this program holds web's certificate, and not the image or a proxy."""
        return self.mode in ("local-ca", "own")

    @property
    def certificate_shared(self) -> bool:
        """True where another service can have web's certificate too."""
        return self.certificate_uploaded or self.acme is not None


@dataclass(frozen=True, kw_only=True)
class Relay:
    """Where the embedded TURN server relays; it shares the Docker host's network."""

    first_port: int
    last_port: int
    """UDP, both included."""
    listen_addresses: tuple[IpAddress, ...]
    """Where it listens for clients."""
    advertised_addresses: tuple[HostAddress, ...]
    """The Docker host's."""

    @property
    def advertised_address(self) -> IpAddress:
        """The IPv4 address that relays are advertised at: a public one reaches most of them."""
        return min(self._advertised_ipv4(), key=lambda address: address.is_private).ip

    @property
    def has_address(self) -> bool:
        """False without an advertised IPv4 address; the rules refuse such settings."""
        return bool(self._advertised_ipv4())

    @property
    def address(self) -> IpAddress:
        """The Docker host's own address that relays sit at: not the advertised address where NAT lies between."""
        own = [ip for ip in self.listen_addresses if ip.version == 4 and not ip.is_unspecified]
        return own[0] if own else self.advertised_address

    def _advertised_ipv4(self) -> list[HostAddress]:
        return [address for address in self.advertised_addresses if address.ip.version == 4]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The TURN server that clients are told of."""

    host: str
    """Where clients reach it."""
    port: int
    """UDP and TCP."""
    tls_port: int | None
    """TCP; None where it speaks no TLS."""
    secret: Secret | None
    """The operator's own secret that TURN and prosody share; None where it is generated."""
    relay: Relay | None
    """The stack's own server; None where it is another one."""

    @property
    def kind(self) -> Literal["embedded", "external"]:
        """As the key `turn` has it."""
        return "external" if self.relay is None else "embedded"

    @property
    def urls(self) -> list[str]:
        """What clients are told of it (RFC 7065)."""
        urls = [f"turn:{self.host}:{self.port}?transport={transport}" for transport in ("udp", "tcp")]
        return urls if self.tls_port is None else [*urls, f"turns:{self.host}:{self.tls_port}?transport=tcp"]


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A RabbitMQ elsewhere."""

    url: str
    """Publish URL of its management API."""
    username: str
    password: Secret


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Where the event of an ended call goes."""

    broker: Broker | None
    """None: the stack's own."""

    @property
    def kind(self) -> Literal["embedded", "external"]:
        """Whose broker it is."""
        return "embedded" if self.broker is None else "external"


@dataclass(frozen=True, kw_only=True)
class VideoService:
    """The VideoService that is told of a call's end, and the Keycloak user for it."""

    url: str
    """What `/videocalls/event/stop/ROOM` follows; without a slash at its end, like the next."""
    keycloak_url: str
    """What `/realms/REALM` follows."""
    realm: str
    client_id: str
    username: str
    password: Secret


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a service's image that the operator sets."""

    service: str
    name: str
    value: str | Secret

    @property
    def key(self) -> str:
        """The path of its configuration key."""
        return f"environment.{self.service}.{self.name}"
