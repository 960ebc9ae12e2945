"""web's volume, on which its image keeps the certificates that it gets by ACME; coturn reads them there."""

from __future__ import annotations

from typing import Final

from components.stack import topology
from components.stack.spec import VolumeSpec

USER: Final = "1000:1000"
"""The image's user (`s6`), who owns what is on it, and for whom alone a private key is readable."""


def volume(*, read_only: bool = False) -> VolumeSpec:
    """The volume, at the same path in every container that has it."""
    return VolumeSpec(name="web-storage", path=topology.WEB_STORAGE, read_only=read_only)


def certificate_files(host: str) -> tuple[str, str]:
    """Where the certificate chain and the private key for `host` lie on it."""
    folder = f"{topology.WEB_STORAGE}/acme-certs/{host}"
    return f"{folder}/fullchain.pem", f"{folder}/key.pem"
