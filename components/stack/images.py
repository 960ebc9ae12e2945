"""Image references. The Jitsi release is a setting (`jitsiRelease`), its default the pin; digests stand in images.toml.

Owns which image a service has, and that it is run by its digest where one is known. Asks no registry (`ops.pin`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from components.stack import topology

COTURN: Final = "coturn/coturn:4.17.0-r0"  # renovate: datasource=docker depName=coturn/coturn
RABBITMQ: Final = "rabbitmq:4.3.2-management"  # renovate: datasource=docker depName=rabbitmq
OTHERS: Final = {topology.COTURN: COTURN, topology.RABBITMQ: RABBITMQ}
"""By role: of the services that are not Jitsi's."""
PINS: Final = Path(__file__).with_name("images.toml")


def of(role: str, registry: str, release: str) -> str:
    """The image of one service, such as `ghcr.io/jitsi/web:stable-11146-2`, with `@sha256:...` where its digest is known."""
    tagged = OTHERS.get(role) or f"{registry}/{role}:{release}"
    digest = digests().get(tagged)
    return f"{tagged}@{digest}" if digest else tagged


@cache
def digests() -> Mapping[str, str]:
    """The digests of images.toml by name and tag."""
    found: Mapping[str, str] = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return found
