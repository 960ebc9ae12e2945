"""What the checks need to know of a stack, read from its outputs.

Owns the shape of the outputs that are read (docs/verify.md lists them). Does not fetch them (`source`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from components.config.addresses import parse_ip
from components.resources.docker_cli import DockerCli
from ops.errors import OpsError

_JWT_SECRET: Final = "jwt_app_secret"
_DEFAULT_TIMEOUT: Final = 20
_HIDDEN: Final = "[secret]"
"""What Pulumi writes for a secret output unless told to show it."""
NOWHERE: Final = DockerCli((), "the outputs do not say where it is")
"""Where nobody has said which Docker host it is."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """TURN servers, and the secret for time-limited credentials."""

    urls: tuple[str, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as its outputs describe it. Build it with `Stack.read`."""

    origin: str
    """publicUrl: scheme, host and, unless it is 443, port."""
    settings: Mapping[str, Mapping[str, str]]
    """Plain environment of each service, by role."""
    containers: Mapping[str, str]
    """Name of each service's container, by role."""
    hosts_entry: str | None = None
    dns_records: tuple[str, ...] = ()
    ca_certificate: str | None = None
    """PEM; None where the system's own certificates must do."""
    jwt_secret: str | None = field(default=None, repr=False)
    turn: Turn | None = None
    statistics: bool = False
    conference_timeout: int = _DEFAULT_TIMEOUT
    """Seconds that a room stays after its last moderator left."""
    http_port: int | None = None
    """Where callers reach plain HTTP; None where that is not known."""
    published_http_port: int | None = None
    """Where the Docker host has it (httpPort)."""
    docker: DockerCli = NOWHERE
    """The way to the stack's Docker host."""

    @classmethod
    def read(cls, outputs: Mapping[str, Any], docker: DockerCli = NOWHERE) -> Stack:
        """A stack from its outputs, secrets included. Raises OpsError where one that is needed is missing or odd."""
        hidden = [name for name, value in outputs.items() if value == _HIDDEN]
        if hidden:
            raise OpsError(
                f"the secret outputs are hidden ({', '.join(hidden)}): write them with pulumi stack output --json "
                f"--show-secrets"
            )
        origin, port = _origin(outputs)
        settings = {str(role): dict(_mapping(one, f"settings.{role}")) for role, one in _section(outputs, "settings")}
        lua = _text(outputs, "statisticsConfig") or ""
        timeout = re.search(r"^conference_timeout = (\d+)$", lua, re.MULTILINE)
        secret = _mapping(outputs.get("credentials") or {}, "credentials").get(_JWT_SECRET)
        return cls(
            origin=origin,
            settings=settings,
            containers={str(role): str(name) for role, name in _section(outputs, "containers")},
            hosts_entry=_text(outputs, "hostsEntry"),
            dns_records=_texts(outputs, "dnsRecords"),
            ca_certificate=_text(outputs, "caCertificate"),
            jwt_secret=str(secret) if secret else None,
            turn=_turn(outputs.get("turn")),
            statistics=bool(re.search(r"^enable_statistics = true$", lua, re.MULTILINE)),
            conference_timeout=int(timeout[1]) if timeout else _DEFAULT_TIMEOUT,
            http_port=80 if port == 443 else _port(outputs, "httpPort"),
            published_http_port=_port(outputs, "httpPort"),
            docker=docker,
        )

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""

    @property
    def has_address(self) -> bool:
        """True where publicUrl has an IP address instead of a name."""
        return parse_ip(self.host) is not None

    @property
    def port(self) -> int:
        return urlsplit(self.origin).port or 443

    def setting(self, role: str, name: str, default: str = "") -> str:
        """One value of a service's environment."""
        return str(self.settings.get(role, {}).get(name, default))

    def setting_list(self, role: str, name: str) -> tuple[str, ...]:
        """The items of one that is a comma list."""
        return tuple(item for item in self.setting(role, name).split(",") if item)

    @property
    def advertised_addresses(self) -> tuple[str, ...]:
        """The addresses of dockerHostAddress, without ports."""
        return tuple(one.partition("#")[0] for one in self.setting_list("jvb", "JVB_ADVERTISE_IPS"))

    @property
    def behind_proxy(self) -> bool:
        """True where the operator's own proxy has the certificate (tls proxy)."""
        return self.setting("web", "DISABLE_HTTPS") == "1"

    @property
    def letsencrypt(self) -> bool:
        """True where web gets its certificate from Let's Encrypt or another ACME server."""
        return self.setting("web", "ENABLE_LETSENCRYPT") == "1"

    @property
    def token_auth(self) -> bool:
        """True where users sign in with a JWT."""
        return self.setting("prosody", "ENABLE_AUTH") == "1" and self.setting("prosody", "AUTH_TYPE") == "jwt"

    @property
    def open_to_all(self) -> bool:
        """True where users do not sign in at all."""
        return self.setting("prosody", "ENABLE_AUTH") != "1"

    @property
    def domain(self) -> str:
        """The XMPP domain that users sign in to."""
        return self.setting("prosody", "XMPP_DOMAIN", "meet.jitsi")

    @property
    def guest_domain(self) -> str:
        """The XMPP domain that guests without a token come to (enableGuests)."""
        return self.setting("prosody", "XMPP_GUEST_DOMAIN", f"guest.{self.domain}")

    @property
    def muc(self) -> str:
        """The XMPP domain of the rooms."""
        return self.setting("prosody", "XMPP_MUC_DOMAIN", f"muc.{self.domain}")

    def container(self, role: str) -> str:
        return self.containers.get(role, role)

    def logs(self, role: str) -> str:
        """The command that shows a service's log, as an operator types it."""
        return self.docker.typed("logs", self.container(role))


def _origin(outputs: Mapping[str, Any]) -> tuple[str, int]:
    """publicUrl, and its port."""
    origin = _text(outputs, "publicUrl")
    try:
        url = urlsplit(origin or "")
        port = url.port or 443
    except ValueError:
        url, port = urlsplit(""), 0
    if origin is None or url.scheme != "https" or not url.hostname:
        raise OpsError(f"the output publicUrl is {origin!r}, allowed is https://HOST[:PORT]: bring the stack up first")
    return origin.rstrip("/"), port


def _port(outputs: Mapping[str, Any], name: str) -> int | None:
    value = outputs.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or not 0 < value < 65536:
        raise OpsError(f"the output {name} is {value!r}, allowed is 1 to 65535: bring the stack up first")
    return value


def _text(outputs: Mapping[str, Any], name: str) -> str | None:
    value = outputs.get(name)
    return value if isinstance(value, str) and value else None


def _texts(outputs: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = outputs.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise OpsError(f"the output {name} is no list of texts: bring the stack up with this version of the program")
    return tuple(value)


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OpsError(f"the output {name} is not a mapping: bring the stack up with this version of the program")
    return value


def _section(outputs: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list(_mapping(outputs.get(name) or {}, name).items())


def _turn(value: object) -> Turn | None:
    if not value:
        return None
    found = _mapping(value, "turn")
    urls, secret = found.get("urls"), found.get("secret")
    if not isinstance(urls, list) or not urls or not isinstance(secret, str):
        raise OpsError("the output turn lacks urls or secret: bring the stack up with this version of the program")
    return Turn(urls=tuple(map(str, urls)), secret=secret)
