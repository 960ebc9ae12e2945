"""Blueprint: all that follows from the settings, worked out in one step before any resource is made.

Owns what is asked for: containers, secrets, certificate, DNS records, outputs. Everything here is a plain value; a secret
is only named. What becomes of it is the resources' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.config.secret import Secret
from components.config.settings import Settings
from components.config.values import Turn
from components.stack import facts, firewall, services, statistics_file, video_service
from components.stack.spec import ContainerSpec, SecretRef, SecretText

PASSWORDS: Final = (
    "jicofo_component_secret",
    "jicofo_auth_password",
    "jvb_auth_password",
    "jigasi_xmpp_password",
    "jibri_recorder_password",
    "jibri_xmpp_password",
)
"""32 hexadecimal digits (128 bits) each, as `openssl rand -hex 16` gives."""
JWT_SECRET: Final = "jwt_app_secret"
"""64 hexadecimal digits: 256 bits."""
TURN_SECRET: Final = "turn_secret"
RABBIT_PASSWORD: Final = "rabbit_password"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A secret that the stack hands out: the operator's own, or generated with `length` hexadecimal digits."""

    name: str
    length: int
    own: Secret | None


@dataclass(frozen=True, kw_only=True)
class LocalCa:
    """A certificate for `host`, signed by an authority of the stack's own, which has the name `authority`."""

    authority: str
    host: str
    is_address: bool


@dataclass(frozen=True, kw_only=True)
class OwnCertificate:
    """The operator's own certificate."""

    chain: Secret
    private_key: Secret


@dataclass(frozen=True, kw_only=True)
class DnsRecord:
    """An address record. `type` is A or AAAA, `ttl` seconds or 1 for automatic."""

    host: str
    type: str
    address: str
    ttl: int

    def __str__(self) -> str:
        return f"{self.host} {self.type} {self.address}"


@dataclass(frozen=True, kw_only=True)
class Dns:
    """The records, and the zone that they belong to: its id, or the name to look it up by."""

    zone: str
    zone_id: str | None
    comment: str
    """Of each record."""
    records: tuple[DnsRecord, ...]


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
    """Stack outputs by name, but for those that only resources know. One that has a SecretRef or SecretText in it is secret as a whole."""


def blueprint(settings: Settings) -> Blueprint:
    """What the settings ask for."""
    containers = services.specs(settings)
    credentials = tuple(_credentials(settings))
    dns = _dns(settings)
    return Blueprint(
        stack=settings.stack,
        containers=containers,
        credentials=credentials,
        passed_on=_passed_on(settings),
        certificate=_certificate(settings),
        dns=dns,
        outputs=_outputs(settings, containers, credentials, dns),
    )


def _credentials(settings: Settings) -> list[Credential]:
    lengths = {**dict.fromkeys(PASSWORDS, 32), JWT_SECRET: 64}
    if settings.turn is not None:
        lengths[TURN_SECRET] = 32
    if settings.embedded_broker:
        lengths[RABBIT_PASSWORD] = 32
    return [Credential(name=name, length=length, own=getattr(settings, name)) for name, length in lengths.items()]


def _passed_on(settings: Settings) -> dict[str, Secret]:
    broker = settings.statistics.broker if settings.statistics is not None else None
    return {RABBIT_PASSWORD: broker.password} if broker is not None else {}


def _certificate(settings: Settings) -> LocalCa | OwnCertificate | None:
    tls = settings.tls
    if not tls.certificate_uploaded:
        return None
    if tls.certificate is not None and tls.private_key is not None:
        return OwnCertificate(chain=tls.certificate, private_key=tls.private_key)
    url = settings.public_url
    authority = f"videobackend {settings.stack} local CA"
    return LocalCa(authority=authority, host=url.host, is_address=url.address is not None)


def _dns(settings: Settings) -> Dns | None:
    """One record for each public address of dockerHostAddress."""
    if settings.dns_zone is None:
        return None
    addresses = dict.fromkeys(one.ip for one in settings.advertised_addresses if not one.is_private)
    records = (
        DnsRecord(
            host=settings.public_url.host,
            type="A" if address.version == 4 else "AAAA",
            address=str(address),
            ttl=settings.dns_ttl,
        )
        for address in addresses
    )
    return Dns(
        zone=settings.dns_zone,
        zone_id=settings.dns_zone_id,
        comment=f"videobackend, stack {settings.stack}: managed by Pulumi",
        records=tuple(records),
    )


def _outputs(
    settings: Settings, containers: tuple[ContainerSpec, ...], credentials: tuple[Credential, ...], dns: Dns | None
) -> dict[str, Any]:
    outputs: dict[str, Any] = {
        "publicUrl": settings.public_url.origin,
        "facts": facts.facts(settings, containers),
        "settings": {spec.role: spec.plain_environment for spec in containers},
        "statisticsConfig": _secret_text(statistics_file.content(settings)),
        "firewallRules": firewall.rules(settings),
        "videoServiceProperties": video_service.properties(settings),
        "credentials": {one.name: SecretRef(one.name) for one in credentials},
    }
    if settings.public_url.is_local_name:
        outputs["hostsEntry"] = hosts_entry(settings)
    if dns is not None:
        outputs["dnsRecords"] = [str(record) for record in dns.records]
    if settings.turn is not None:
        outputs["turn"] = {"urls": turn_urls(settings.turn), "secret": SecretRef(TURN_SECRET)}
    return outputs


def _secret_text(text: str | SecretText) -> SecretText:
    """Always secret, so that whoever scripts the output need not know whether there is a password in it."""
    return text if isinstance(text, SecretText) else SecretText(made_from=(), render=lambda: text)


def hosts_entry(settings: Settings) -> str:
    """The line for /etc/hosts that makes a local name resolve."""
    address = settings.advertised_addresses[0].ip if settings.advertised_addresses else "127.0.0.1"
    return f"{address} {settings.public_url.host}"


def turn_urls(turn: Turn) -> list[str]:
    """What clients are told of TURN (RFC 7065)."""
    urls = [f"turn:{turn.host}:{turn.port}?transport={transport}" for transport in ("udp", "tcp")]
    return urls if turn.tls_port is None else [*urls, f"turns:{turn.host}:{turn.tls_port}?transport=tcp"]
