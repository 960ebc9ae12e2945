"""Settings: every configuration key, its default and its check; read once, checked whole, frozen.

Owns the list of keys and is the only reader of `pulumi.Config`. Does not own the grammar of values (`checks`),
the rules between keys (`rules`), or what the settings become (`services`). A key is the camelCase of its
attribute here; keys and their .env names are listed in docs/settings.md.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import pulumi
from pulumi.runtime import config as pulumi_config

from components.config import checks, providers, rules
from components.config.addresses import HostAddress, IpAddress, PublicUrl
from components.config.checks import Invalid
from components.config.keys import METADATA, Key, Secret, key, optional, own_secret
from components.config.problems import Problem, SettingsError

ENCRYPTED: Final = "\x00encrypted\x00"
"""Stands for a stack file's encrypted value where it is not decrypted (`python -m ops plan`). No value that
the engine hands over can pass for it: every secret's check refuses control characters."""

DEFAULT_DOCKER_HOST: Final = "unix:///var/run/docker.sock"

MODERATION_MODULES: Final = ("token_moderation", "close_room", "create_room")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment's settings, checked.

    Build it with `Settings.load` or `Settings.from_config`; both raise `SettingsError` with every problem.
    """

    stack: str
    docker: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """Arguments of the Docker provider besides `host`, from the `docker:` namespace."""
    docker_secrets: frozenset[str] = frozenset()
    """Those of them, `host` too, that are stored encrypted."""
    docker_host: str = DEFAULT_DOCKER_HOST
    """URL of the Docker host (`docker:host`). Fixed unless set: what DOCKER_HOST happens to say at the moment of
    an `up` must not move a stack to another machine."""

    public_url: PublicUrl = key(
        checks.public_url,
        "https://onlineberatung.local:8443",
        env="PUBLIC_URL",
        doc="where browsers reach the video backend",
    )
    http_port: int = key(checks.port, "8000", env="HTTP_PORT", doc="published port for HTTP")
    https_port: int = key(checks.port, "8443", env="HTTPS_PORT", doc="published port for HTTPS")
    bind_address: tuple[IpAddress, ...] | None = optional(
        checks.bind_addresses,
        example="127.0.0.1",
        doc="addresses of the Docker host at which the two are published; unset: all IPv4 ones, with tls proxy 127.0.0.1",
    )
    docker_host_address: tuple[HostAddress, ...] | None = optional(
        checks.host_addresses,
        example="192.0.2.10",
        env="DOCKER_HOST_ADDRESS",
        doc="addresses at which clients reach the bridge, IP or IP#PORT; becomes JVB_ADVERTISE_IPS",
    )
    jvb_port: int = key(checks.port, "10000", env="JVB_PORT", doc="UDP port for media")
    jvb_bind_address: tuple[IpAddress, ...] = key(
        checks.bind_addresses, "0.0.0.0", doc="addresses of the Docker host at which it is published"
    )
    stun_servers: tuple[str, ...] | None = optional(
        checks.stun_servers,
        example="stun.example.org:3478",
        env="JVB_STUN_SERVERS",
        doc="STUN servers of bridge and peer-to-peer calls, HOST:PORT; unset: no third party is contacted",
    )

    tls: str | None = optional(
        checks.tls,
        example="local-ca",
        doc="local-ca, own, letsencrypt, proxy or self-signed; unset: letsencrypt for a public name, else local-ca",
    )
    tls_certificate: Secret | None = own_secret(checks.pem, doc="tls own: certificate chain, PEM")
    tls_private_key: Secret | None = own_secret(checks.pem, doc="tls own: its private key, PEM")
    letsencrypt_email: str | None = optional(
        checks.email,
        env="LETSENCRYPT_EMAIL",
        example="admin@example.org",
        doc="tls letsencrypt: where Let's Encrypt writes to",
    )
    letsencrypt_use_staging: bool = key(
        checks.boolean, "false", env="LETSENCRYPT_USE_STAGING", doc="tls letsencrypt: certificates for trying out"
    )
    letsencrypt_acme_server: str | None = optional(
        checks.acme_server,
        env="LETSENCRYPT_ACME_SERVER",
        example="https://acme.example.org/directory",
        doc="tls letsencrypt: another ACME server",
    )

    turn: str | None = optional(
        checks.turn,
        example="embedded",
        doc="TURN server for people whose network blocks UDP: embedded in the stack, or external; unset: none",
    )
    turn_host: str | None = optional(
        checks.turn_host, env="TURN_HOST", example="turn.example.org", doc="turn external: its host"
    )
    turn_port: int = key(checks.port, "3478", env="TURN_PORT", doc="TURN's port, UDP and TCP")
    turns_port: int = key(
        checks.port,
        "5349",
        env="TURNS_PORT",
        doc="TURN's port for TLS; embedded: with tls local-ca, own and letsencrypt, whose certificate it shares",
    )
    turn_relay_ports: tuple[int, int] = key(
        checks.relay_ports, "49160-49209", doc="turn embedded: UDP ports that it relays through, one for each relay"
    )
    turn_secret: Secret | None = own_secret(
        checks.password,
        env="TURN_CREDENTIALS",
        doc="secret that TURN and prosody share; embedded: generated unless set",
    )

    enable_auth: bool = key(
        checks.boolean, "true", env="ENABLE_AUTH", doc="only users with a valid token or account get in"
    )
    enable_guests: bool = key(
        checks.boolean, "false", env="ENABLE_GUESTS", doc="let users without a token join rooms that are open"
    )
    auth_type: str = key(
        checks.auth_type, "jwt", env="AUTH_TYPE", doc="jwt: tokens of the VideoService; internal: accounts made by hand"
    )
    jwt_app_id: str = key(checks.jwt_name, "videobackend", env="JWT_APP_ID", doc="application identifier, any value")
    jwt_app_secret: Secret | None = own_secret(
        checks.jwt_secret, env="JWT_APP_SECRET", doc="key that signs tokens, shared with the VideoService"
    )
    jwt_accepted_issuers: tuple[str, ...] = key(
        checks.jwt_names,
        "videoservice",
        env="JWT_ACCEPTED_ISSUERS",
        doc="accepted issuers; the first is handed to the VideoService",
    )
    jwt_accepted_audiences: tuple[str, ...] = key(
        checks.jwt_names,
        "videobackend",
        env="JWT_ACCEPTED_AUDIENCES",
        doc="accepted audiences; the first is handed to the VideoService",
    )
    xmpp_muc_modules: tuple[str, ...] | None = optional(
        checks.modules,
        example="token_moderation,close_room,create_room",
        env="XMPP_MUC_MODULES",
        doc="Prosody modules of the rooms; unset: token_moderation,close_room,create_room with JWT, close_room without",
    )
    conference_timeout: int = key(
        checks.conference_timeout, "20", doc="seconds that a room stays after its last moderator left"
    )
    enable_lobby: bool = key(checks.boolean, "true", env="ENABLE_LOBBY", doc="a lobby before rooms")
    enable_breakout_rooms: bool = key(checks.boolean, "false", env="ENABLE_BREAKOUT_ROOMS", doc="breakout rooms")
    enable_prejoin_page: bool = key(
        checks.boolean, "true", env="ENABLE_PREJOIN_PAGE", doc="a page to try camera and microphone before the call"
    )
    enable_close_page: bool = key(checks.boolean, "true", env="ENABLE_CLOSE_PAGE", doc="a page after the call")

    jicofo_component_secret: Secret | None = own_secret(
        checks.password,
        env="JICOFO_COMPONENT_SECRET",
        doc="kept for the VideoBackend's .env; no supported image reads it",
    )
    jicofo_auth_password: Secret | None = own_secret(
        checks.password, env="JICOFO_AUTH_PASSWORD", doc="XMPP account of jicofo (focus)"
    )
    jvb_auth_password: Secret | None = own_secret(checks.password, env="JVB_AUTH_PASSWORD", doc="XMPP account of jvb")
    jigasi_xmpp_password: Secret | None = own_secret(
        checks.password, env="JIGASI_XMPP_PASSWORD", doc="XMPP account for a Jigasi"
    )
    jibri_recorder_password: Secret | None = own_secret(
        checks.password, env="JIBRI_RECORDER_PASSWORD", doc="XMPP account for Jibri's recorder"
    )
    jibri_xmpp_password: Secret | None = own_secret(
        checks.password, env="JIBRI_XMPP_PASSWORD", doc="XMPP account for a Jibri"
    )

    enable_statistics: bool = key(
        checks.boolean, "false", env="enable_statistics", doc="send an event to RabbitMQ when a call ends"
    )
    rabbit_mq: str | None = optional(
        checks.rabbit_mq, example="embedded", doc="embedded: a broker of the stack's own, for trying it out"
    )
    rabbit_url: str | None = optional(
        checks.rabbit_url,
        example="http://rabbitmq.example.org:15672/api/exchanges/%2F/statistics.topic/publish",
        env="rabbit_url",
        doc="publish URL of RabbitMQ's management API",
    )
    rabbit_username: str | None = optional(
        checks.rabbit_username, example="videobackend", env="rabbit_username", doc="its user"
    )
    rabbit_password: Secret | None = own_secret(checks.rabbit_password, env="rabbit_password", doc="its password")

    branding_dir: str | None = optional(
        checks.branding_dir,
        example="branding",
        doc="directory with the operator's own images, pages, CSS and overrides",
    )

    dns_zone: str | None = optional(
        checks.dns_zone, example="example.org", doc="Cloudflare zone that holds publicUrl's host; unset: no DNS records"
    )
    dns_zone_id: str | None = optional(
        checks.dns_zone_id,
        example="0123456789abcdef0123456789abcdef",
        doc="that zone's id; unset: looked up by its name",
    )
    dns_ttl: int = key(checks.dns_ttl, "300", doc="time to live of the DNS records in seconds, 1 for automatic")

    image_registry: str = key(
        checks.image_registry, "ghcr.io/jitsi", env="JITSI_IMAGE_REPO", doc="where the Jitsi images come from"
    )
    jitsi_release: str = key(
        checks.jitsi_release, "stable-11146-2", env="JITSI_IMAGE_VERSION", doc="release of the Jitsi images"
    )
    time_zone: str = key(checks.time_zone, "Europe/Berlin", env="TZ", doc="time zone of the containers' logs")
    restart_policy: str = key(
        checks.restart_policy, "unless-stopped", env="RESTART_POLICY", doc="Docker's restart policy"
    )
    log_max_size: str = key(checks.log_size, "10m", doc="size at which a container's log is rotated")
    log_max_files: int = key(checks.log_files, "3", doc="rotated log files kept per container")

    @classmethod
    def load(
        cls, values: Mapping[str, str], *, stack: str, secret_keys: Collection[str] = (), project: str = "videobackend"
    ) -> Settings:
        """Settings from the configuration of one stack.

        Args:
            values: configuration values by key, without namespace; `ENCRYPTED` for one that was not decrypted.
            stack: the stack's name; physical names carry it.
            secret_keys: keys whose value the stack file holds encrypted.
            project: the configuration's namespace, for messages.

        Raises:
            SettingsError: with every problem found.
        """
        problems = _misplaced(values, secret_keys)
        plain = {problem.key for problem in problems}
        fields: dict[str, Any] = {}
        broken: set[str] = set()
        for attribute, one in _KEYS_BY_ATTRIBUTE.items():
            text = values.get(one.name, "")
            if not isinstance(text, str) or not text:
                continue
            if one.name in secret_keys and not one.secret:
                broken.add(attribute)
                allowed = "plain text: this key is no secret, so state and outputs would show it all the same"
                problems.append(Problem(one.name, None, allowed, example=one.example))
                continue
            try:
                if one.secret:
                    unseen = text == ENCRYPTED or one.name in plain
                    fields[attribute] = Secret(None if unseen else one.check(_plain_text(text)))
                else:
                    fields[attribute] = one.check(_plain_text(text))
            except Invalid as invalid:
                broken.add(attribute)
                given = None if one.secret else invalid.given or repr(text)
                example = invalid.example or one.example
                problems.append(Problem(one.name, given, invalid.allowed, example=example, secret=one.secret))
        settings = cls(stack=stack, **fields)
        reported = {_KEYS_BY_ATTRIBUTE[attribute].name for attribute in broken}
        problems += [problem for problem in rules.problems(settings, broken) if problem.key not in reported]
        if problems:
            raise SettingsError(stack, project, problems)
        return settings

    @classmethod
    def from_config(cls) -> Settings:
        """Settings of the stack that the program runs for. Raises `SettingsError`."""
        project = pulumi.get_project()
        stored = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        prefix = f"{project}:"
        values = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
        secret_keys = {name for name in values if pulumi_config.is_config_secret(prefix + name)}
        stack = pulumi.get_stack()
        secret = pulumi_config.is_config_secret
        problems = providers.unknown_keys(stored, project) + providers.plain_secrets(stored, secret)
        problems += providers.docker_problems(stored, secret)
        if values.get("dnsZone"):
            problems += providers.cloudflare_problems(stored)
        try:
            settings = cls.load(values, stack=stack, secret_keys=secret_keys, project=project)
        except SettingsError as error:
            raise SettingsError(stack, project, [*error.problems, *problems]) from None
        if problems:
            raise SettingsError(stack, project, problems)
        options = providers.docker_options(stored)
        host = options.pop("host", DEFAULT_DOCKER_HOST)
        return dataclasses.replace(
            settings, docker_host=host, docker=options, docker_secrets=providers.docker_secrets(secret)
        )

    @property
    def docker_arguments(self) -> dict[str, Any]:
        """All arguments of the Docker provider; what is stored encrypted stays secret."""
        values = {"host": self.docker_host, **self.docker}
        return {
            name: pulumi.Output.secret(value) if name in self.docker_secrets else value
            for name, value in values.items()
        }

    @property
    def tls_mode(self) -> str:
        """Where web's certificate comes from: as set, or what suits the host."""
        return self.tls or ("letsencrypt" if self.public_url.is_public_name else "local-ca")

    @property
    def turn_server(self) -> str:
        """The host at which clients reach TURN."""
        return self.turn_host or self.public_url.host

    @property
    def turn_tls(self) -> bool:
        """True where TURN speaks TLS too: another server's does, ours where it can have web's certificate."""
        certificate = self.provides_certificate or self.tls_mode == "letsencrypt"
        return self.turn == "external" or (self.turn == "embedded" and certificate)

    @property
    def turn_address(self) -> IpAddress:
        """The IPv4 address that clients are told of relays, with turn embedded: a public one reaches most of them."""
        found = [address for address in self.addresses if address.ip.version == 4]
        return min(found, key=lambda address: address.is_private).ip

    @property
    def relay_address(self) -> IpAddress:
        """The Docker host's own address that relays sit at: another one than clients are told where NAT lies between."""
        own = [ip for ip in self.jvb_bind_address if ip.version == 4 and not ip.is_unspecified]
        return own[0] if own else self.turn_address

    @property
    def provides_certificate(self) -> bool:
        """True where this program holds web's certificate, and not the image or a proxy."""
        return self.tls_mode in ("local-ca", "own")

    @property
    def web_bind_address(self) -> tuple[IpAddress, ...]:
        """Where web's ports are published; behind a proxy on the same machine nobody else needs them."""
        if self.bind_address is not None:
            return self.bind_address
        return (ip_address("127.0.0.1" if self.tls_mode == "proxy" else "0.0.0.0"),)

    @property
    def token_auth(self) -> bool:
        """True where users sign in with a JWT."""
        return self.enable_auth and self.auth_type == "jwt"

    @property
    def muc_modules(self) -> tuple[str, ...]:
        """The Prosody modules of the rooms: the operator's, or the ones that suit the authentication."""
        if self.xmpp_muc_modules is not None:
            return self.xmpp_muc_modules
        return MODERATION_MODULES if self.token_auth else ("close_room",)

    @property
    def token_moderation(self) -> bool:
        """True where the token says who is moderator, and jicofo must promote nobody."""
        return "token_moderation" in self.muc_modules

    @property
    def embedded_broker(self) -> bool:
        """True where the stack runs a RabbitMQ of its own."""
        return self.rabbit_mq == "embedded"

    @property
    def addresses(self) -> tuple[HostAddress, ...]:
        return self.docker_host_address or ()

    @property
    def warnings(self) -> list[str]:
        """What is legal but smells, a sentence each."""
        return rules.warnings(self)


def camel_case(attribute: str) -> str:
    """`http_port` → `httpPort`."""
    head, *tail = attribute.split("_")
    return head + "".join(word.capitalize() for word in tail)


_KEYS_BY_ATTRIBUTE: Final[dict[str, Key]] = {
    field.name: Key(name=camel_case(field.name), **field.metadata[METADATA])
    for field in dataclasses.fields(Settings)
    if METADATA in field.metadata
}
KEYS: Final[dict[str, Key]] = {one.name: one for one in _KEYS_BY_ATTRIBUTE.values()}
"""Every configuration key by its name."""

_RENAMED: Final = {"jvbAdvertiseIps": "dockerHostAddress", "jvbStunServers": "stunServers", "tz": "timeZone"}


def _plain_text(text: str) -> str:
    """The text, unless it is a list or map, which the engine hands over as JSON. Raises Invalid."""
    if text[0] in "[{":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(value, list | dict):
            raise Invalid(f"text, not a {'list: write a,b' if isinstance(value, list) else 'map'}")
    return text


def misplaced(stored: Mapping[str, str], secret_keys: Collection[str], project: str) -> list[Problem]:
    """Keys that do not exist, and secrets in plain text: what has to leave a stack file whatever else holds.

    Args:
        stored: configuration values by key, with namespace.
        secret_keys: those of them that are encrypted.
        project: the project's own namespace.
    """
    prefix = f"{project}:"
    values = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    own = _misplaced(values, {name.removeprefix(prefix) for name in secret_keys})
    others = providers.unknown_keys(stored, project) + providers.plain_secrets(stored, secret_keys.__contains__)
    return own + others


def _misplaced(values: Mapping[str, str], secret_keys: Collection[str]) -> list[Problem]:
    """The same of the project's own keys, without namespace."""
    secret = [one.name for one in KEYS.values() if one.secret and one.name not in secret_keys and values.get(one.name)]
    unknown = [_unknown(name) for name in sorted(values) if name not in KEYS]
    return unknown + [Problem(name, None, providers.PLAIN_TEXT, secret=True) for name in secret]


def _unknown(name: str) -> Problem:
    """The problem of a key that does not exist, with the nearest one that does."""
    plain = _plain(name)
    by_plain = {_plain(alias): one.name for one in KEYS.values() for alias in (one.name, one.env) if alias}
    by_plain |= {_plain(old): new for old, new in _RENAMED.items()}
    nearest = difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.6)
    hint = f"did you mean {by_plain[nearest[0]]}?" if nearest else "see docs/settings.md for the list of keys"
    return Problem(name, None, f"no such key; {hint}", remove=True)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
