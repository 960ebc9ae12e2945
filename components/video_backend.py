"""VideoBackend component: the whole video backend of one environment.

Owns how the parts come together and what the stack hands out. Makes no container and reads no configuration
itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi

from components.config.settings import Settings
from components.resources.certificates import Certificates
from components.resources.credentials import JWT_SECRET, RABBIT_PASSWORD, TURN_SECRET, Credentials
from components.resources.docker_cli import DockerCli
from components.resources.docker_host import Placement
from components.stack import facts, firewall, services, topology
from components.stack.services import coturn, rabbitmq
from components.stack.statistics_file import render_statistics_lua

STATISTICS_CONFIG: Final = "statistics_config"
TOKEN_VALIDITY_HOURS: Final = 3
"""The VideoService's own default."""


class VideoBackend(pulumi.ComponentResource):
    """web, prosody, jicofo and jvb with their network, volumes, secrets and DNS records.

    Args:
        name: logical name, and prefix of the physical names.
        settings: the environment's settings.
        opts: options; children use the docker provider given here.
    """

    outputs: dict[str, pulumi.Input[Any]]
    """What the stack exports, by output name."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("videobackend:index:VideoBackend", name, None, opts)
        credentials = Credentials(f"{name}-credentials", settings, pulumi.ResourceOptions(parent=self))
        secrets = {**credentials.values, **_statistics_secrets(settings, credentials.values)}
        certificates = None
        if settings.provides_certificate:
            certificates = Certificates(f"{name}-certificates", settings, pulumi.ResourceOptions(parent=self))
            secrets |= {"tls_certificate": certificates.chain, "tls_private_key": certificates.private_key}
        if settings.turn == "embedded":
            secret = credentials.values[TURN_SECRET]
            secrets["turn_config"] = secret.apply(lambda plain: coturn.config(settings, plain))
        specs = services.specs(settings)
        placement = Placement(
            name=name,
            stack=settings.stack,
            secrets=secrets,
            docker_cli=DockerCli.of(settings, decrypted=True),
            parent=self,
        )
        placement.place(specs)
        outputs: dict[str, pulumi.Input[Any]] = {
            "publicUrl": settings.public_url.origin,
            "httpPort": settings.http_port,
            "facts": facts.facts(settings, specs),
            "settings": {spec.role: spec.plain_environment for spec in specs},
            "containers": {spec.role: placement.physical(spec.role) for spec in specs},
            "statisticsConfig": secrets[STATISTICS_CONFIG],
            "firewallRules": firewall.rules(settings),
            "videoServiceProperties": _video_service_properties(settings, credentials.values[JWT_SECRET]),
            "credentials": pulumi.Output.secret(dict(credentials.values)),
        }
        if certificates is not None and certificates.ca_certificate is not None:
            outputs["caCertificate"] = certificates.ca_certificate
        if settings.public_url.is_local_name:
            outputs["hostsEntry"] = hosts_entry(settings)
        if settings.turn is not None:
            outputs["turn"] = pulumi.Output.secret(
                {"urls": turn_urls(settings), "secret": credentials.values[TURN_SECRET]}
            )
        if settings.dns_zone is not None:
            from components.resources.dns import DnsRecords  # pulumi_cloudflare takes seconds to import

            dns = DnsRecords(f"{name}-dns", settings, pulumi.ResourceOptions(parent=self))
            outputs["dnsRecords"] = dns.records
        self.outputs = outputs
        self.register_outputs({"publicUrl": settings.public_url.origin})


def _statistics_secrets(
    settings: Settings, generated: Mapping[str, pulumi.Output[str]]
) -> dict[str, pulumi.Output[str]]:
    """The statistics file and, with the embedded broker, its definitions."""
    enabled, timeout = settings.enable_statistics, settings.conference_timeout
    if settings.embedded_broker:
        password = generated[RABBIT_PASSWORD]
        url, username = topology.EMBEDDED_RABBIT_URL, topology.STATISTICS_USER
        definitions = {"rabbit_definitions": password.apply(rabbitmq.definitions)}
    else:
        own = settings.rabbit_password
        password = own.output() if own else pulumi.Output.secret("")
        url, username = settings.rabbit_url or "", settings.rabbit_username or ""
        definitions = {}
    config = password.apply(
        lambda plain: render_statistics_lua(
            enabled=enabled, url=url, username=username, password=plain, conference_timeout=timeout
        )
    )
    return {STATISTICS_CONFIG: config, **definitions}


def hosts_entry(settings: Settings) -> str:
    """The line for /etc/hosts that makes a local name resolve."""
    address = settings.addresses[0].ip if settings.addresses else "127.0.0.1"
    return f"{address} {settings.public_url.host}"


def turn_urls(settings: Settings) -> list[str]:
    """What clients are told of TURN (RFC 7065)."""
    server, port = settings.turn_server, settings.turn_port
    urls = [f"turn:{server}:{port}?transport={transport}" for transport in ("udp", "tcp")]
    return [*urls, f"turns:{server}:{settings.turns_port}?transport=tcp"] if settings.turn_tls else urls


def _video_service_properties(settings: Settings, jwt_secret: pulumi.Output[str]) -> pulumi.Output[str]:
    """The VideoService's lines of application.properties, ready to paste; secret."""
    url = {"video.call.server.url": settings.public_url.origin}
    if not settings.token_auth:
        return pulumi.Output.secret(_properties(url))
    prefix = "video.call.security.jwt"
    plain = url | {
        f"{prefix}.audience": settings.jwt_accepted_audiences[0],
        f"{prefix}.issuer": settings.jwt_accepted_issuers[0],
        f"{prefix}.subject": topology.XMPP_DOMAIN,
        f"{prefix}.validity.hours": str(TOKEN_VALIDITY_HOURS),
    }
    return jwt_secret.apply(lambda secret: _properties(plain | {f"{prefix}.secret": secret}))


def _properties(values: dict[str, str]) -> str:
    """Java properties (java.util.Properties): escapes for what is not printable ASCII; no value starts with a space."""
    return "".join(f"{name}={''.join(map(_java_char, value))}\n" for name, value in values.items())


def _java_char(char: str) -> str:
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
