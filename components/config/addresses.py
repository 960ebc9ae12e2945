"""Hosts and addresses as values: what a URL or an IP address means for the network and for browsers.

Owns these types, their normal form and their questions (private, local, public). Does not own how an operator spells
them (`checks`).
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from components.config.tables import special_addresses as tables

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_SUFFIXES = (".local", ".localdomain", ".lan", ".internal", ".test", ".home.arpa", ".intranet")


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_SPECIAL: Final = _networks(*tables.SPECIAL_IPV4, *tables.SPECIAL_IPV6)
_NOBODYS: Final = _networks(*tables.NOBODYS)


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
        return self.address is None and (
            "." not in self.host or self.host.endswith(_LOCAL_SUFFIXES) or is_loopback_name(self.host)
        )

    @property
    def is_in_hosts_file(self) -> bool:
        """True for a local name that /etc/hosts has to know; `localhost` must stay what it is (RFC 6761, 6.3)."""
        return self.is_local_name and not is_loopback_name(self.host)

    @property
    def is_public_name(self) -> bool:
        return self.address is None and not self.is_local_name

    @property
    def is_public(self) -> bool:
        """True for a public name, and for an address that the internet reaches."""
        return self.is_public_name if self.address is None else not is_private(self.address)


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


@functools.lru_cache(maxsize=1024)
def parse_ip(text: str) -> IpAddress | None:
    """The address that `text` spells, without a zone; None where it is not one.

    An IPv4 address within an IPv6 one (RFC 4291, 2.5.5.2) is the IPv4 address: consumers and Python versions print the
    other form differently.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else unmapped(address)


def unmapped(address: IpAddress) -> IpAddress:
    """The IPv4 address within an IPv6 one (RFC 4291, 2.5.5.2), else the address itself."""
    return getattr(address, "ipv4_mapped", None) or address


def is_private(address: IpAddress) -> bool:
    """True for an address that the internet does not reach: private, shared, link-local or special in another way."""
    return _within(unmapped(address), _SPECIAL)


def is_nobodys(address: IpAddress) -> bool:
    """True for an address that no single machine has: unspecified, multicast, reserved."""
    return _within(unmapped(address), _NOBODYS)


def _within(address: IpAddress, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def is_loopback_name(host: str) -> bool:
    """True for `localhost` and what lies below it (RFC 6761, 6.3)."""
    return host == "localhost" or host.endswith(".localhost")


def is_host(text: str) -> bool:
    """True for an IP address or an ASCII host name in lower case (RFC 1123) that browsers take for one.

    They read a name whose last label is a number, in hex too, as an IPv4 address (https://url.spec.whatwg.org/#concept-host-parser).
    """
    if parse_ip(text):
        return True
    labels = text.split(".")
    return len(text) <= 253 and all(map(_is_label, labels)) and not _NUMBER.fullmatch(labels[-1])


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    return not label.startswith("xn--") or ascii_name(_decoded(label)) == label


def _decoded(label: str) -> str:
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return ""


def ascii_name(name: str) -> str | None:
    """The name as browsers spell it for the network (UTS 46, non-transitional), in lower case; None where they don't.

    `straße.example` → `xn--strae-oqa.example`.
    """
    if name.isascii():
        return name.lower() or None
    import idna  # its tables take a while to load

    try:
        mapped = idna.uts46_remap(name, std3_rules=True, transitional=False)
        labels = [
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in mapped.split(".")
        ]
    except (UnicodeError, idna.IDNAError):
        return None
    spelled = ".".join(labels)
    return spelled if all(map(_LABEL.fullmatch, labels)) and len(spelled) <= 253 else None


def is_docker_url(text: str) -> bool:
    """True for a URL of a Docker daemon as the provider and `docker --host` take it.

    `unix:///PATH`, `npipe:////./pipe/NAME`, `tcp://HOST:PORT`, `ssh://[USER@]HOST[:PORT]`.
    """
    host, port = r"(?!-)[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", r":[0-9]{1,5}"
    forms = (r"unix:///[^\s?#]+", r"npipe:////\./pipe/[^\s/]+", rf"tcp://({host}){port}")
    ssh = rf"ssh://((?!-)[A-Za-z0-9._-]+@)?({host})({port})?"
    if not any(re.fullmatch(form, text) for form in (*forms, ssh)) or "${" in text:
        return False
    number = re.search(r"(?<!/):([0-9]+)$", text) if not text.startswith(("unix:", "npipe:")) else None
    return number is None or 0 < int(number[1]) < 65536
