"""What can be found out about this machine: its address in its network."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Final

from components.config.addresses import IpAddress
from components.config.settings import Settings
from ops.preflight.docker import is_local

_DOCUMENTATION_ADDRESS: Final = ("192.0.2.1", 9)
"""TEST-NET-1 (RFC 5737): the route to it is the default one; a UDP socket's connect sends nothing."""


def lan_address() -> str | None:
    """This machine's address in its network, as the default route has it; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION_ADDRESS)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") or address == "0.0.0.0" else address


def address_warnings(settings: Settings) -> Iterator[str]:
    """Private addresses of dockerHostAddress that this machine, the Docker host, has not: a public one may be a router's."""
    if is_local(settings):
        for one in settings.advertised_addresses:
            if one.is_private and not _is_here(one.ip):
                yield f"dockerHostAddress is {one.ip}, which this machine does not have now: media will not come through"


def _is_here(ip: IpAddress) -> bool:
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
