"""IANA's special-purpose address registries (RFC 6890, RFC 8190) as of November 2026, and what is not allocated.

https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry; of IPv6 only 2000::/3 is
allocated as public (.../ipv6-address-space). A table, because Python's own changes with its version.
"""

from __future__ import annotations

from typing import Final

DOCUMENTATION: Final = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
"""Addresses of examples: in a configuration they stand where a public one belongs, so they count as one."""

SPECIAL_IPV4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private use
    "100.64.0.0/10",  # shared address space of providers
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local
    "172.16.0.0/12",  # private use
    "192.0.0.0/24",  # IETF protocol assignments
    "192.31.196.0/24",  # AS112-v4
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relay anycast
    "192.168.0.0/16",  # private use
    "192.175.48.0/24",  # direct delegation AS112 service
    "198.18.0.0/15",  # benchmarking
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, limited broadcast
)

SPECIAL_IPV6: Final = (
    "::/3",  # unspecified, loopback, mapped, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard-only (100::/64)
    "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking, AMT, drone remote identification
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # direct delegation AS112 service
    "4000::/2",  # not allocated; SRv6 SIDs (5f00::/16)
    "8000::/1",  # not allocated; unique-local (fc00::/7), link-local (fe80::/10), multicast (ff00::/8)
)

NOBODYS: Final = (
    "0.0.0.0/8",
    "224.0.0.0/3",
    "::/128",
    "4000::/2",
    "8000::/2",
    "c000::/3",
    "e000::/4",
    "f000::/5",
    "f800::/6",
    "fe00::/9",
    "fec0::/10",
    "ff00::/8",
)
"""Addresses that no single machine has: unspecified, multicast, reserved or not allocated."""
