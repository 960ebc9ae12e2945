"""Blueprint: all that follows from the settings, worked out in one step before any resource is made.

Owns how the parts come together, each of which is a module beside it, and the stack's outputs. Everything here is a plain
value; a secret stands there by its name. What becomes of it is the resources' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.config.ports import held_ports
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
    url, turn, stack = settings.public_url.origin, settings.turn, settings.stack
    statistics_config = statistics_file.content(settings.statistics, settings.conference_timeout)
    containers = services.specs(settings)
    wanted, passed_on = credentials.credentials(settings), credentials.passed_on(settings)
    records, hosts_entry = dns.dns(settings), dns.hosts_entry(settings)
    ports = tuple(held_ports(settings))
    outputs: dict[str, Any] = {
        "publicUrl": url,
        "facts": facts.facts(settings, ports, containers),
        "settings": {spec.role: spec.plain_environment for spec in containers},
        "statisticsConfig": sealed(statistics_config),
        "firewallRules": firewall.rules(settings, ports),
        "videoServiceProperties": video_service.properties(settings),
        "credentials": {one.name: SecretRef(one.name) for one in wanted},
    }
    if hosts_entry is not None:
        outputs["hostsEntry"] = hosts_entry
    if records is not None:
        outputs["dnsRecords"] = [str(record) for record in records.records]
    if turn is not None:
        outputs["turn"] = {"urls": turn.urls, "secret": SecretRef(credentials.TURN_SECRET)}
    return Blueprint(
        stack=stack,
        containers=containers,
        credentials=wanted,
        passed_on=passed_on,
        certificate=certificate.certificate(settings),
        dns=records,
        outputs=outputs,
    )
