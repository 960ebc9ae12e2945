"""Hosts and addresses as values: what a URL or an IP address means for the network.

Owns these types and their questions (private, local, public). Does not own how an operator spells them (`checks`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
_LOCAL_SUFFIXES = (".local", ".localhost", ".localdomain", ".lan", ".internal", ".test", ".home.arpa", ".intranet")


@dataclass(frozen=True)
class PublicUrl:
    """Where browsers reach the video backend: an https origin."""

    host: str
    port: int

    @property
    def origin(self) -> str:
        """The URL without a trailing slash, its port only where it is not 443."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == 443 else f"https://{host}:{self.port}"

    @property
    def address(self) -> IpAddress | None:
        """The host as an IP address, None where it is a name."""
        return parse_ip(self.host)

    @property
    def is_local_name(self) -> bool:
        """True for a host name that public DNS does not serve, such as `onlineberatung.local`."""
        return self.address is None and ("." not in self.host or self.host.endswith(_LOCAL_SUFFIXES))

    @property
    def is_public_name(self) -> bool:
        return self.address is None and not self.is_local_name


@dataclass(frozen=True)
class HostAddress:
    """One address at which clients reach the bridge; `port` only where it differs from jvbPort."""

    ip: IpAddress
    port: int | None

    @property
    def is_private(self) -> bool:
        return is_private(self.ip)

    def __str__(self) -> str:
        return str(self.ip) if self.port is None else f"{self.ip}#{self.port}"


def parse_ip(text: str) -> IpAddress | None:
    """The address that `text` spells, without a zone; None where it is not one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else address


def unmapped(address: IpAddress) -> IpAddress:
    """The IPv4 address within an IPv6 one (RFC 4291, 2.5.5.2), else the address itself."""
    return getattr(address, "ipv4_mapped", None) or address


def is_private(address: IpAddress) -> bool:
    """True for an address that only its own network reaches (RFC 1918, 6598, 3927, 4193, 4291)."""
    plain = unmapped(address)
    return any(plain in network for network in _PRIVATE_NETWORKS if network.version == plain.version)


def is_host(text: str) -> bool:
    """True for an IP address or an ASCII host name in lower case (RFC 1123)."""
    if parse_ip(text):
        return True
    labels = text.split(".")
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def is_docker_url(text: str) -> bool:
    """True for a URL as `docker --host` takes it."""
    return re.fullmatch(r"(unix|npipe|tcp|ssh)://\S+", text) is not None
