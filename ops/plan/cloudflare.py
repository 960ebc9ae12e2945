"""Stands in for pulumi_cloudflare where the rules alone are asked: that package takes five seconds to load.

Owns the few names of it that `components.resources.dns` uses; what they register is the same, as a test shows.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
from pulumi.runtime import rpc


class DnsRecord(pulumi.CustomResource):
    """One record."""

    def __init__(self, resource_name: str, *, opts: pulumi.ResourceOptions | None = None, **arguments: Any) -> None:
        inputs = {_camel_case(key): value for key, value in arguments.items()}
        super().__init__("cloudflare:index/dnsRecord:DnsRecord", resource_name, inputs, opts)


def GetZoneFilterArgs(**arguments: str) -> dict[str, str]:
    """By what a zone is looked up."""
    return arguments


def get_zone_output(**_arguments: Any) -> Any:
    """A zone whose id nobody knows yet."""
    return SimpleNamespace(id=rpc.UNKNOWN)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
