"""Whether the stack's name leads to the stack's address."""

from __future__ import annotations

import ipaddress
from typing import Final

from components.config.addresses import IpAddress
from ops.verify import net
from ops.verify.context import Context
from ops.verify.net import Unreachable
from ops.verify.result import Result, failed, ok, skipped, warning

_DNS64: Final = ipaddress.ip_network("64:ff9b::/96")


async def check(context: Context) -> Result:
    """Compares what the name resolves to with dnsRecords, hostsEntry or dockerHostAddress, whichever the stack has."""
    stack = context.stack
    if stack.has_address:
        return ok(f"{stack.host} is an address, no name")
    try:
        found = await net.resolve(stack.host)
    except Unreachable:
        found = []
    if context.given_address:
        return skipped(f"--address {context.given_address} is used instead; {stack.host} {_leads(found)}")
    return judge(context, found)


def judge(context: Context, found: list[str]) -> Result:
    """The verdict on the addresses that a name resolves to."""
    stack, wanted = context.stack, context.expected_addresses
    detail = f"{stack.host} {_leads(found)}"
    if not found:
        return failed(f"{stack.host} does not resolve", _fix(context))
    unexpected = [one for one in found if _plain(one) not in map(_plain, wanted)]
    if wanted and not unexpected:
        return ok(detail)
    if all(map(_is_loopback, unexpected)):
        return warning(f"{detail}: right on the Docker host only", _elsewhere(context))
    if all(map(_is_loopback, wanted)):
        return warning(
            f"{detail}; dockerHostAddress is not set, so this cannot be compared",
            "set dockerHostAddress to the address at which callers reach the Docker host",
        )
    if stack.behind_proxy:
        return warning(
            f"{detail}, the stack's address is {', '.join(wanted)}",
            "right only if that is your own proxy before the stack",
        )
    return failed(f"{detail}, not to {', '.join(wanted)}", _fix(context))


def _leads(found: list[str]) -> str:
    return f"leads to {', '.join(found)}" if found else "does not resolve yet"


def _elsewhere(context: Context) -> str:
    """What to do about a name that leads to this machine itself."""
    stack = context.stack
    if stack.hosts_entry and not _is_loopback(stack.hosts_entry.split()[0]):
        return f"on other machines add to /etc/hosts: {stack.hosts_entry}"
    return "run verify on another machine as well, which asks the DNS as callers do"


def _fix(context: Context) -> str:
    stack = context.stack
    if stack.dns_records:
        return f"the DNS records ought to be: {'; '.join(stack.dns_records)}; after a change wait for dnsTtl to pass"
    if stack.hosts_entry and all(map(_is_loopback, context.expected_addresses)):
        return (
            f"on the Docker host put into /etc/hosts: {stack.hosts_entry}; on other machines its address there instead "
            f"of the loopback's"
        )
    if stack.hosts_entry:
        return f"put into /etc/hosts, instead of another line for that name: {stack.hosts_entry}"
    wanted = ", ".join(context.expected_addresses) or "the Docker host"
    return f"point the DNS record of {stack.host} to {wanted}, or correct dockerHostAddress"


def _plain(address: str) -> IpAddress:
    """The address itself: what a DNS64 resolver makes of an IPv4 address (RFC 6147) is that address."""
    ip = ipaddress.ip_address(address)
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip.version == 6 and ip in _DNS64 else ip


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
