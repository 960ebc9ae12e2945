"""Settings: every configuration key with its default and its check, as one frozen value, and what follows from them.

Owns the list of keys, and which of them make up `Tls`, `Turn`, `Statistics` and `VideoService` (`values`). Reads nothing (`load`,
`source`) and does not own the grammar of values (`checks`), the rules between keys (`rules`), or what is made of the settings
(`stack`). A key is the camelCase of its attribute here unless it says otherwise; docs/settings.md lists them with their
.env names. What needs several keys together, such as `turn.host`, can be relied on once the rules have passed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar

from components.config import checks
from components.config.addresses import HostAddress, IpAddress, PublicUrl
from components.config.branding import Branding
from components.config.declare import optional_setting, secret_setting, setting
from components.config.secret import Secret
from components.config.values import Acme, Broker, Relay, Statistics, Tls, Turn, Variable, VideoService

T = TypeVar("T")

DEFAULT_DOCKER_URL: Final = "unix:///var/run/docker.sock"
LOCAL_STACK: Final = "dev"
"""The one stack that may leave publicUrl at its default, a name that leads to this machine."""
MODERATION_MODULES: Final = ("token_moderation", "close_room", "create_room")
_ACME_DIRECTORY: Final = "https://acme-v02.api.letsencrypt.org/directory"
_ACME_STAGING_DIRECTORY: Final = "https://acme-staging-v02.api.letsencrypt.org/directory"
"""Let's Encrypt's (https://letsencrypt.org/docs/acme-protocol-updates/)."""
_ACME_TRUSTED: Final = (
    _ACME_DIRECTORY,
    "https://acme.zerossl.com/v2/DV90",
    "https://dv.acme-v02.api.pki.goog/directory",
)
"""Directories of authorities in the browsers' root stores (https://github.com/acmesh-official/acme.sh/wiki/Server,
https://go-acme.github.io/lego/advanced/caservers/)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment's settings, checked."""

    stack: str
    docker: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """Arguments of the Docker provider besides `host`, from the `docker:` namespace."""
    docker_secrets: frozenset[str] = frozenset()
    """Those of them, `host` too, that are stored encrypted."""
    docker_url: str = DEFAULT_DOCKER_URL
    """URL of the Docker host (`docker:host`). Fixed unless set: what DOCKER_HOST happens to say at the moment of
    an `up` must not move a stack to another machine."""
    branding: Branding | None = dataclasses.field(default=None, repr=False)
    """What lies in brandingDir."""

    public_url: PublicUrl = setting(
        checks.public_url,
        "https://onlineberatung.local:8443",
        env="PUBLIC_URL",
        doc="where browsers reach the video backend",
    )
    http_port: int = setting(checks.port, "8000", env="HTTP_PORT", doc="published port for HTTP")
    https_port: int = setting(checks.port, "8443", env="HTTPS_PORT", doc="published port for HTTPS")
    bind_addresses: tuple[IpAddress, ...] | None = optional_setting(
        checks.bind_addresses,
        key="bindAddress",
        example="127.0.0.1",
        doc="addresses of the Docker host at which the two are published; unset: all IPv4 ones, with tls proxy 127.0.0.1",
    )
    advertised_addresses: tuple[HostAddress, ...] = optional_setting(
        checks.host_addresses,
        key="dockerHostAddress",
        unset=(),
        example="192.0.2.10",
        env="DOCKER_HOST_ADDRESS",
        doc="addresses at which clients reach the bridge, IP or IP#PORT; becomes JVB_ADVERTISE_IPS",
    )
    jvb_port: int = setting(checks.media_port, "10000", env="JVB_PORT", doc="UDP port for media")
    jvb_bind_addresses: tuple[IpAddress, ...] = setting(
        checks.bind_addresses,
        "0.0.0.0",
        key="jvbBindAddress",
        doc="addresses of the Docker host at which it is published",
    )
    stun_servers: tuple[str, ...] | None = optional_setting(
        checks.stun_servers,
        example="stun.example.org:3478",
        env="JVB_STUN_SERVERS",
        doc="STUN servers of bridge and peer-to-peer calls, HOST:PORT; unset: no third party is contacted",
    )

    tls_choice: str | None = optional_setting(
        checks.tls,
        key="tls",
        example="local-ca",
        doc="local-ca, own, letsencrypt, proxy or self-signed; unset: letsencrypt for a public name, else local-ca",
    )
    tls_certificate: Secret | None = secret_setting(checks.certificate_chain, doc="tls own: certificate chain, PEM")
    tls_private_key: Secret | None = secret_setting(checks.private_key, doc="tls own: its private key, PEM")
    letsencrypt_email: str | None = optional_setting(
        checks.email,
        env="LETSENCRYPT_EMAIL",
        example="admin@example.org",
        doc="tls letsencrypt: where Let's Encrypt writes to",
    )
    letsencrypt_use_staging: bool = setting(
        checks.boolean, "false", env="LETSENCRYPT_USE_STAGING", doc="tls letsencrypt: certificates for trying out"
    )
    letsencrypt_acme_server: str | None = optional_setting(
        checks.acme_server,
        env="LETSENCRYPT_ACME_SERVER",
        example="https://acme.example.org/directory",
        doc="tls letsencrypt: another ACME server",
    )

    turn_choice: str | None = optional_setting(
        checks.turn,
        key="turn",
        example="embedded",
        doc="TURN server for people whose network blocks UDP: embedded in the stack, or external; unset: none",
    )
    turn_host: str | None = optional_setting(
        checks.turn_host, env="TURN_HOST", example="turn.example.org", doc="turn external: its host"
    )
    turn_port: int = setting(checks.turn_port, "3478", env="TURN_PORT", doc="TURN's port, UDP and TCP")
    turns_port: int = setting(
        checks.turn_port,
        "5349",
        env="TURNS_PORT",
        doc="TURN's port for TLS; embedded: with tls local-ca, own and letsencrypt, whose certificate it shares",
    )
    turn_relay_ports: tuple[int, int] = setting(
        checks.relay_ports, "49160-49209", doc="turn embedded: UDP ports that it relays through, one for each relay"
    )
    turn_secret: Secret | None = secret_setting(
        checks.password,
        env="TURN_CREDENTIALS",
        doc="secret that TURN and prosody share; embedded: generated unless set",
    )

    enable_auth: bool = setting(
        checks.boolean, "true", env="ENABLE_AUTH", doc="only users with a valid token or account get in"
    )
    enable_guests: bool = setting(
        checks.boolean, "false", env="ENABLE_GUESTS", doc="let users without a token join rooms that are open"
    )
    auth_type: str = setting(
        checks.auth_type, "jwt", env="AUTH_TYPE", doc="jwt: tokens of the VideoService; internal: accounts made by hand"
    )
    jwt_app_id: str = setting(
        checks.jwt_name, "videobackend", env="JWT_APP_ID", doc="application identifier, any value"
    )
    jwt_app_secret: Secret | None = secret_setting(
        checks.jwt_secret, env="JWT_APP_SECRET", doc="key that signs tokens, shared with the VideoService"
    )
    jwt_accepted_issuers: tuple[str, ...] = setting(
        checks.jwt_names,
        "videoservice",
        env="JWT_ACCEPTED_ISSUERS",
        doc="accepted issuers; the first is handed to the VideoService",
    )
    jwt_accepted_audiences: tuple[str, ...] = setting(
        checks.jwt_names,
        "videobackend",
        env="JWT_ACCEPTED_AUDIENCES",
        doc="accepted audiences; the first is handed to the VideoService",
    )
    xmpp_muc_modules: tuple[str, ...] | None = optional_setting(
        checks.modules,
        example="token_moderation,close_room,create_room",
        env="XMPP_MUC_MODULES",
        doc="Prosody modules of the rooms; unset: token_moderation,close_room,create_room with JWT, close_room without",
    )
    conference_timeout: int = setting(
        checks.conference_timeout, "20", doc="seconds that a room stays after its last moderator left"
    )
    enable_lobby: bool = setting(checks.boolean, "true", env="ENABLE_LOBBY", doc="a lobby before rooms")
    enable_breakout_rooms: bool = setting(checks.boolean, "false", env="ENABLE_BREAKOUT_ROOMS", doc="breakout rooms")
    enable_prejoin_page: bool = setting(
        checks.boolean, "true", env="ENABLE_PREJOIN_PAGE", doc="a page to try camera and microphone before the call"
    )
    enable_close_page: bool = setting(checks.boolean, "true", env="ENABLE_CLOSE_PAGE", doc="a page after the call")
    enable_end_conference: bool = setting(
        checks.boolean, "true", env="ENABLE_END_CONFERENCE", doc="moderators may end the call for everybody"
    )
    max_participants: int | None = optional_setting(
        checks.max_participants, example="10", env="MAX_PARTICIPANTS", doc="people in a room at once; unset: no limit"
    )
    language: str | None = optional_setting(
        checks.language,
        example="de",
        env="DEFAULT_LANGUAGE",
        doc="language of the page where neither link nor browser says one; unset: English",
    )
    embedded_by: tuple[str, ...] | None = optional_setting(
        checks.embedding_origins,
        example="https://app.example.org",
        doc="origins whose pages may show the page in a frame; self: none but its own; unset: any",
    )

    jicofo_component_secret: Secret | None = secret_setting(
        checks.password,
        env="JICOFO_COMPONENT_SECRET",
        doc="kept for the VideoBackend's .env; no supported image reads it",
    )
    jicofo_auth_password: Secret | None = secret_setting(
        checks.password, env="JICOFO_AUTH_PASSWORD", doc="XMPP account of jicofo (focus)"
    )
    jvb_auth_password: Secret | None = secret_setting(
        checks.password, env="JVB_AUTH_PASSWORD", doc="XMPP account of jvb"
    )
    jigasi_xmpp_password: Secret | None = secret_setting(
        checks.password,
        env="JIGASI_XMPP_PASSWORD",
        doc="XMPP account for a Jigasi elsewhere, made in prosody; no container of the stack uses it",
    )
    jibri_recorder_password: Secret | None = secret_setting(
        checks.password,
        env="JIBRI_RECORDER_PASSWORD",
        doc="XMPP account for a Jibri's recorder elsewhere, made with ENABLE_RECORDING alone; no container of the stack uses it",
    )
    jibri_xmpp_password: Secret | None = secret_setting(
        checks.password,
        env="JIBRI_XMPP_PASSWORD",
        doc="XMPP account for a Jibri elsewhere, made in prosody; no container of the stack uses it",
    )

    enable_statistics: bool = setting(
        checks.boolean, "false", env="enable_statistics", doc="send an event to RabbitMQ when a call ends"
    )
    rabbit_mq: str | None = optional_setting(
        checks.rabbit_mq, example="embedded", doc="embedded: a broker of the stack's own, for trying it out"
    )
    rabbit_url: str | None = optional_setting(
        checks.rabbit_url,
        example="http://rabbitmq.example.org:15672/api/exchanges/%2F/statistics.topic/publish",
        env="rabbit_url",
        doc="publish URL of RabbitMQ's management API",
    )
    rabbit_username: str | None = optional_setting(
        checks.rabbit_username, example="videobackend", env="rabbit_username", doc="its user"
    )
    rabbit_password: Secret | None = secret_setting(checks.service_password, env="rabbit_password", doc="its password")
    video_service_url: str | None = optional_setting(
        checks.service_url,
        example="https://app.example.org/service",
        env="videoserviceurl",
        doc="VideoService that is told when a call is over; unset: it is not told",
    )
    keycloak_url: str | None = optional_setting(
        checks.service_url,
        example="https://keycloak.example.org/auth",
        env="keycloak_auth_server_url",
        doc="Keycloak that has the user who tells it",
    )
    keycloak_realm: str = setting(
        checks.keycloak_name, "online-beratung", doc="realm of the user that tells the VideoService"
    )
    keycloak_client_id: str | None = optional_setting(
        checks.keycloak_name,
        example="app",
        env="keycloak_app_client_id",
        doc="client of Keycloak that the user signs in by",
    )
    video_service_username: str | None = optional_setting(
        checks.keycloak_name,
        example="jitsi-technical",
        env="jitsi_technical_username",
        doc="the user, who has the realm role jitsi-technical",
    )
    video_service_password: Secret | None = secret_setting(
        checks.service_password, env="jitsi_technical_password", doc="its password"
    )

    branding_dir: str | None = optional_setting(
        checks.branding_dir,
        example="branding",
        doc="directory with the operator's own images, pages, CSS and overrides",
    )

    dns_zone: str | None = optional_setting(
        checks.dns_zone, example="example.org", doc="Cloudflare zone that holds publicUrl's host; unset: no DNS records"
    )
    dns_zone_id: str | None = optional_setting(
        checks.dns_zone_id,
        example="0123456789abcdef0123456789abcdef",
        doc="that zone's id; unset: looked up by its name",
    )
    dns_ttl: int = setting(checks.dns_ttl, "300", doc="time to live of the DNS records in seconds, 1 for automatic")

    policy_exceptions: str | None = optional_setting(
        checks.policy_exceptions,
        example="image-digest until 2027-03-31 because the mirror is being built",
        doc="rules that this stack need not keep, each until a day and for a reason",
    )

    image_registry: str = setting(
        checks.image_registry, "ghcr.io/jitsi", env="JITSI_IMAGE_REPO", doc="where the Jitsi images come from"
    )
    jitsi_release: str = setting(
        checks.jitsi_release, "stable-11146-2", env="JITSI_IMAGE_VERSION", doc="release of the Jitsi images"
    )
    time_zone: str = setting(checks.time_zone, "Europe/Berlin", env="TZ", doc="time zone of the containers' logs")
    restart_policy: str = setting(
        checks.restart_policy, "unless-stopped", env="RESTART_POLICY", doc="Docker's restart policy"
    )
    log_max_size: str = setting(checks.log_size, "10m", doc="size at which a container's log is rotated")
    log_max_files: int = setting(checks.log_files, "3", doc="rotated log files kept per container")
    log_level: str = setting(checks.log_level, "info", env="LOG_LEVEL", doc="what prosody logs, from this level on")
    web_memory: int = setting(checks.memory(256), "512m", doc="memory that web may have")
    prosody_memory: int = setting(checks.memory(256), "1024m", doc="memory that prosody may have")
    jicofo_memory: int = setting(
        checks.memory(768), "1536m", doc="memory that jicofo may have; Java's heap is 512 MiB less"
    )
    jvb_memory: int = setting(
        checks.memory(1536), "4096m", doc="memory that jvb may have; Java's heap is 1024 MiB less"
    )
    environment: tuple[Variable, ...] = optional_setting(
        checks.environment,
        structured=True,
        unset=(),
        example='{"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "2g"}}',
        doc="variables of the Jitsi images that have no key of their own, by service",
    )

    @property
    def tls_mode(self) -> str:
        """Where web's certificate comes from: as set, or what suits the host."""
        return self.tls_choice or ("letsencrypt" if self.public_url.is_public_name else "local-ca")

    @property
    def tls(self) -> Tls:
        """Who serves HTTPS with which certificate."""
        mode = self.tls_mode
        acme = None
        if mode == "letsencrypt":
            standard = _ACME_STAGING_DIRECTORY if self.letsencrypt_use_staging else _ACME_DIRECTORY
            acme = Acme(
                directory=self.letsencrypt_acme_server or standard,
                email=self.letsencrypt_email,
                staging=self.letsencrypt_use_staging,
                trusted=(self.letsencrypt_acme_server or standard) in _ACME_TRUSTED,
            )
        return Tls(mode=mode, certificate=self.tls_certificate, private_key=self.tls_private_key, acme=acme)

    @property
    def redirects_http(self) -> bool:
        """True where plain HTTP leads to https. web's image names no port then, so only the standard one can be reached so."""
        return not self.tls.by_proxy and self.public_url.port == 443

    @property
    def turn(self) -> Turn | None:
        """The TURN server, None without one."""
        if self.turn_choice is None:
            return None
        embedded = self.turn_choice == "embedded"
        first, last = self.turn_relay_ports
        relay = Relay(
            first_port=first,
            last_port=last,
            listen_addresses=self.jvb_bind_addresses,
            advertised_addresses=self.advertised_addresses,
        )
        return Turn(
            host=self.turn_host or self.public_url.host,
            port=self.turn_port,
            tls_port=self.turns_port if not embedded or self.tls.certificate_shared else None,
            secret=self.turn_secret,
            relay=relay if embedded else None,
        )

    @property
    def embedded_broker(self) -> bool:
        """True where the stack runs a RabbitMQ of its own, whether or not anything is sent to it."""
        return self.rabbit_mq == "embedded"

    @property
    def statistics(self) -> Statistics | None:
        """Where events go, None where none are sent."""
        if not self.enable_statistics:
            return None
        if self.embedded_broker:
            return Statistics(broker=None)
        broker = Broker(
            url=_required("rabbitUrl", self.rabbit_url),
            username=_required("rabbitUsername", self.rabbit_username),
            password=_required("rabbitPassword", self.rabbit_password),
        )
        return Statistics(broker=broker)

    @property
    def video_service(self) -> VideoService | None:
        """Who is told of a call's end, None where nobody is."""
        if self.video_service_url is None:
            return None
        return VideoService(
            url=self.video_service_url,
            keycloak_url=_required("keycloakUrl", self.keycloak_url),
            realm=self.keycloak_realm,
            client_id=_required("keycloakClientId", self.keycloak_client_id),
            username=_required("videoServiceUsername", self.video_service_username),
            password=_required("videoServicePassword", self.video_service_password),
        )

    @property
    def web_bind_addresses(self) -> tuple[IpAddress, ...]:
        """Where web's ports are published; behind a proxy on the same machine nobody else needs them."""
        if self.bind_addresses is not None:
            return self.bind_addresses
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


def _required(key: str, value: T | None) -> T:
    """The value of a key that the rules require. Raises ValueError for settings that they have not passed."""
    if value is None:
        raise ValueError(f"{key} is not set: these settings have not passed the rules")
    return value
