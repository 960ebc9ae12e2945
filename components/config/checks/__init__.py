"""Checks of single configuration values: text in, typed value out, or `Invalid` with what is allowed.

What a check returns is the normal form, and that is what is passed on. Owns the grammar of each kind of value and
the characters that its consumers can carry. Does not own which key has which check, nor rules between keys
(`settings`, `rules`). Pure: no Pulumi, no network, no file; what the target knows stands in `tables`.
"""

from components.config.checks.access import (
    JWT_SECRET_MIN_BYTES,
    NOT_FIRST_IN_PASSWORD,
    PASSWORD_CHARACTERS,
    PASSWORD_MAX_LENGTH,
    PASSWORD_MIN_LENGTH,
    auth_type,
    conference_timeout,
    jwt_name,
    jwt_names,
    jwt_secret,
    modules,
    password,
    rabbit_mq,
    rabbit_username,
    service_password,
    turn,
)
from components.config.checks.broker import rabbit_url
from components.config.checks.certificates import TLS_MODES, certificate_chain, email, private_key, tls
from components.config.checks.containers import (
    SUPPORTED_RELEASE,
    branding_dir,
    image_registry,
    jitsi_release,
    log_files,
    log_size,
    restart_policy,
    time_zone,
)
from components.config.checks.environment import environment
from components.config.checks.hosts import (
    acme_server,
    bind_addresses,
    dns_ttl,
    dns_zone,
    dns_zone_id,
    embedding_origins,
    host_addresses,
    media_port,
    port,
    public_url,
    relay_ports,
    stun_servers,
    turn_host,
    turn_port,
)
from components.config.checks.policies import policy_exceptions
from components.config.checks.services import keycloak_name, service_url
from components.config.checks.text import Invalid, boolean, integer

__all__ = [
    "JWT_SECRET_MIN_BYTES",
    "NOT_FIRST_IN_PASSWORD",
    "PASSWORD_CHARACTERS",
    "PASSWORD_MAX_LENGTH",
    "PASSWORD_MIN_LENGTH",
    "SUPPORTED_RELEASE",
    "TLS_MODES",
    "Invalid",
    "acme_server",
    "auth_type",
    "bind_addresses",
    "boolean",
    "branding_dir",
    "certificate_chain",
    "conference_timeout",
    "dns_ttl",
    "dns_zone",
    "dns_zone_id",
    "email",
    "embedding_origins",
    "environment",
    "host_addresses",
    "image_registry",
    "integer",
    "jitsi_release",
    "jwt_name",
    "jwt_names",
    "jwt_secret",
    "keycloak_name",
    "log_files",
    "log_size",
    "media_port",
    "modules",
    "password",
    "policy_exceptions",
    "port",
    "private_key",
    "public_url",
    "rabbit_mq",
    "rabbit_url",
    "rabbit_username",
    "relay_ports",
    "restart_policy",
    "service_password",
    "service_url",
    "stun_servers",
    "time_zone",
    "tls",
    "turn",
    "turn_host",
    "turn_port",
]
