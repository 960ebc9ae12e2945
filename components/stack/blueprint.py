"""Blueprint: all that follows from the settings, worked out in one step before any resource is made.

Owns how the parts come together, each of which is a module beside it, and the stack's outputs. Everything here is a plain
value; a secret stands there by its name. What becomes of it is the resources' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.config.secret import Secret
from components.config.settings import Settings
from components.stack import certificate, credentials, dns, facts, firewall, services, statistics_file, video_service
from components.stack.certificate import LocalCa, OwnCertificate
from components.stack.credentials import Credential
from components.stack.dns import Dns
from components.stack.spec import ContainerSpec, SecretRef, sealed


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """One environment's stack, as it shall be. Build it with `blueprint`."""

    stack: str
    containers: tuple[ContainerSpec, ...]
    """Each after those that it starts after."""
    credentials: tuple[Credential, ...]
    """Those that the output `credentials` hands out."""
    passed_on: Mapping[str, Secret]
    """Secrets of services elsewhere, which the stack needs and nobody else is handed."""
    certificate: LocalCa | OwnCertificate | None
    """web's, where this program has it."""
    dns: Dns | None
    outputs: Mapping[str, Any]
    """Stack outputs by name, but for those that only resources know. One with a SecretRef or SecretText is secret as a whole."""


def blueprint(settings: Settings) -> Blueprint:
    """What the settings ask for."""
    containers = services.specs(settings)
    wanted = credentials.credentials(settings)
    records = dns.dns(settings)
    outputs: dict[str, Any] = {
        "publicUrl": settings.public_url.origin,
        "facts": facts.facts(settings, containers),
        "settings": {spec.role: spec.plain_environment for spec in containers},
        "statisticsConfig": sealed(statistics_file.content(settings)),
        "firewallRules": firewall.rules(settings),
        "videoServiceProperties": video_service.properties(settings),
        "credentials": {one.name: SecretRef(one.name) for one in wanted},
    }
    if settings.public_url.is_in_hosts_file:
        outputs["hostsEntry"] = dns.hosts_entry(settings)
    if records is not None:
        outputs["dnsRecords"] = [str(record) for record in records.records]
    if settings.turn is not None:
        outputs["turn"] = {"urls": settings.turn.urls, "secret": SecretRef(credentials.TURN_SECRET)}
    return Blueprint(
        stack=settings.stack,
        containers=containers,
        credentials=wanted,
        passed_on=credentials.passed_on(settings),
        certificate=certificate.certificate(settings),
        dns=records,
        outputs=outputs,
    )
