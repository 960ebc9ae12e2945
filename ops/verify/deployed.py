"""What the checks need to know of a stack that is up: its outputs, read once into values.

Owns which outputs and facts are read (docs/verify.md lists them), the call of `pulumi stack output` for verify and
token, and finding the Docker host. What the facts mean is `components.stack.facts`' business, where state and passphrase
are `ops.project.state`'s.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from components.config import providers
from components.config.addresses import parse_ip
from components.resources.docker_cli import DockerCli
from components.stack.facts import VERSION
from ops.errors import OpsError
from ops.project import checkpoint, engine, stackfile, state
from ops.project.fixes import make
from ops.project.state import StackState

_JWT_SECRET: Final = "jwt_app_secret"
_HIDDEN: Final = "[secret]"
"""What Pulumi writes for a secret output unless told to show it."""
_UP_AGAIN: Final = "bring the stack up with this version of the program"
NOWHERE: Final = DockerCli((), "the outputs do not say where it is")
"""Where nobody has reason which Docker host it is."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """TURN servers, and the secret for time-limited credentials."""

    urls: tuple[str, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens that are accepted; `*` as an issuer or audience accepts each."""

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    subject: str


@dataclass(frozen=True, kw_only=True)
class DeployedStack:
    """A stack as its outputs describe it. Get it with `read`, or from outputs at hand with `DeployedStack.of`."""

    origin: str
    """publicUrl: scheme, host and, unless it is 443, port."""
    containers: Mapping[str, str]
    """Name of each service's container, by role."""
    tls_mode: str
    acme_server: str
    """Where web gets its certificate, with tls letsencrypt; else empty."""
    http_port: int
    """Where callers reach plain HTTP."""
    published_http_port: int
    """Where the Docker host has it (httpPort)."""
    redirects: bool
    """Whether plain HTTP leads to https."""
    sign_in_required: bool
    guests: bool
    """Whether guests without a token may come (enableGuests)."""
    tokens: Tokens | None
    """None where users do not sign in with a JWT."""
    room_modules: tuple[str, ...]
    domain: str
    """The XMPP domain that users sign in to."""
    guest_domain: str
    muc: str
    """The XMPP domain of the rooms."""
    media: tuple[str, ...]
    """Where the bridge advertises itself, as IP#PORT."""
    stun_servers: tuple[str, ...]
    statistics: bool
    """Whether the end of a call is sent to a broker."""
    video_service: bool
    """Whether the VideoService is told of it."""
    conference_timeout: int
    """Seconds that a room stays after its last moderator left."""
    hosts_entry: str | None = None
    dns_records: tuple[str, ...] = ()
    ca_certificate: str | None = None
    """PEM; None where the system's own certificates must do."""
    jwt_secret: str | None = field(default=None, repr=False)
    turn: Turn | None = None
    docker: DockerCli = NOWHERE
    """The way to the stack's Docker host."""

    @classmethod
    def of(cls, outputs: Mapping[str, Any], docker: DockerCli = NOWHERE) -> DeployedStack:
        """A stack from its outputs, secrets included. Raises OpsError where one that is needed is missing or odd."""
        hidden = [name for name, value in outputs.items() if value == _HIDDEN]
        if hidden:
            raise OpsError(
                f"the secret outputs are hidden ({', '.join(hidden)}): write them with pulumi stack output --json "
                f"--show-secrets"
            )
        origin = _origin(outputs)
        facts = _facts(outputs)
        secret = _mapping(outputs.get("credentials") or {}, "credentials").get(_JWT_SECRET)
        try:
            return cls(
                origin=origin,
                containers={
                    str(role): str(name)
                    for role, name in _mapping(outputs.get("containers") or {}, "containers").items()
                },
                hosts_entry=_text(outputs, "hostsEntry"),
                dns_records=_texts(outputs, "dnsRecords"),
                ca_certificate=_text(outputs, "caCertificate"),
                jwt_secret=str(secret) if secret else None,
                turn=_turn(outputs.get("turn")),
                docker=docker,
                **_fields_from(facts),
            )
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
            raise OpsError(f"the output facts has not the shape of version {VERSION}: {_UP_AGAIN}") from None

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

    @property
    def advertised_addresses(self) -> tuple[str, ...]:
        """The addresses of dockerHostAddress, without ports."""
        return tuple(dict.fromkeys(one.partition("#")[0] for one in self.media))

    @property
    def behind_proxy(self) -> bool:
        """True where the operator's own proxy has the certificate."""
        return self.tls_mode == "proxy"

    @property
    def letsencrypt(self) -> bool:
        """True where web gets its certificate from Let's Encrypt or another ACME server."""
        return self.tls_mode == "letsencrypt"

    def container(self, role: str) -> str:
        return self.containers.get(role, role)

    def logs(self, role: str) -> str:
        """The command that shows a service's log, as an operator types it."""
        return self.docker.typed("logs", self.container(role))


def _fields_from(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that come from the output `facts`. Raises what a wrong shape raises."""
    auth, domains, media = facts["auth"], facts["domains"], facts["media"]
    token = auth["token"]
    return {
        "tls_mode": str(facts["tls"]["mode"]),
        "acme_server": facts["tls"]["acmeServer"] or "",
        "http_port": int(facts["http"]["port"]),
        "published_http_port": next(int(one["first"]) for one in facts["ports"] if one["key"] == "httpPort"),
        "redirects": bool(facts["http"]["redirects"]),
        "sign_in_required": bool(auth["required"]),
        "guests": bool(auth["guests"]),
        "tokens": token
        and Tokens(issuers=tuple(token["issuers"]), audiences=tuple(token["audiences"]), subject=token["subject"]),
        "room_modules": tuple(facts["rooms"]["modules"]),
        "domain": str(domains["main"]),
        "guest_domain": str(domains["guests"]),
        "muc": str(domains["rooms"]),
        "media": tuple(one if "#" in one else f"{one}#{media['port']}" for one in media["addresses"]),
        "stun_servers": tuple(media["stunServers"]),
        "statistics": facts["statistics"]["broker"] is not None,
        "video_service": facts.get("videoService") is not None,
        "conference_timeout": int(facts["timeouts"]["conference"]),
    }


def _facts(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    facts = _mapping(outputs.get("facts"), "facts")
    if facts.get("version") != VERSION:
        raise OpsError(
            f"the output facts has version {facts.get('version')!r}, this program reads {VERSION}: {_UP_AGAIN}"
        )
    return facts


def _origin(outputs: Mapping[str, Any]) -> str:
    """publicUrl."""
    origin = _text(outputs, "publicUrl")
    try:
        url = urlsplit(origin or "")
        _ = url.port  # raises where it is none
    except ValueError:
        url = urlsplit("")
    if origin is None or url.scheme != "https" or not url.hostname:
        raise OpsError(f"the output publicUrl is {origin!r}, allowed is https://HOST[:PORT]: bring the stack up first")
    return origin.rstrip("/")


def _text(outputs: Mapping[str, Any], name: str) -> str | None:
    value = outputs.get(name)
    return value if isinstance(value, str) and value else None


def _texts(outputs: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = outputs.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise OpsError(f"the output {name} is no list of texts: {_UP_AGAIN}")
    return tuple(value)


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        problem = "is missing" if value is None else "is not a mapping"
        raise OpsError(f"the output {name} {problem}: {_UP_AGAIN}")
    return value


def _turn(value: object) -> Turn | None:
    if not value:
        return None
    found = _mapping(value, "turn")
    urls, secret = found.get("urls"), found.get("secret")
    if not isinstance(urls, list) or not urls or not isinstance(secret, str):
        raise OpsError(f"the output turn lacks urls or secret: {_UP_AGAIN}")
    return Turn(urls=tuple(map(str, urls)), secret=secret)


def read(stack: str, file: str | None, seconds: float, docker_host: str | None = None) -> DeployedStack:
    """The stack from its outputs.

    Args:
        stack: its name.
        file: a JSON file as `pulumi stack output --json --show-secrets` writes it, instead of asking the engine.
        seconds: how long the engine may take.
        docker_host: URL of its Docker host, instead of what the stack file says.

    Raises:
        OpsError: where they cannot be read.
    """
    found = _from_file(Path(file)) if file else _from_engine(stack, seconds)
    return dataclasses.replace(found, docker=DockerCli(("--host", docker_host))) if docker_host else found


def _from_file(path: Path) -> DeployedStack:
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OpsError(f"--outputs {path} cannot be read: {error.strerror}") from None
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        raise OpsError(
            f"--outputs {path} is no JSON object: write it with pulumi stack output --json --show-secrets > FILE"
        )
    return DeployedStack.of(outputs)


def _from_engine(stack: str, seconds: float) -> DeployedStack:
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    if stack_state.embedded and checkpoint.is_empty(stack_state):
        raise OpsError(f"stack {stack!r} is not up: {make(stack, 'up')}")
    state.check_passphrase(stack_state, os.environ)
    cli = engine.find_cli(stack_state)
    command = [str(cli), "stack", "output", "--json", "--show-secrets", "--stack", stack, "--non-interactive"]
    child = engine.environment(stack_state, os.environ, cli)
    try:
        run = subprocess.run(
            command, cwd=stack_state.root, env=child, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise OpsError(
            f"pulumi stack output did not answer within {seconds:g} seconds: try again, or --time-limit"
        ) from None
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.startswith("error:")] or run.stderr.splitlines()
        reason = lines[0].removeprefix("error: ") if lines else "it reason nothing"
        raise OpsError(f"pulumi stack output of {stack!r} failed: {reason}")
    outputs: dict[str, Any] = json.loads(run.stdout)
    return DeployedStack.of(outputs, _docker(stack_state))


def _docker(stack_state: StackState) -> DockerCli:
    """The way to the stack's Docker host: from the stack file, as no output has it.

    The rest of the file is not judged: what is wrong there has no bearing on what runs.
    """
    try:
        content = stackfile.read(stack_state.config_file)
    except OpsError as error:
        return DockerCli((), str(error))
    config = stackfile.engine_config(content, stackfile.read_project(stack_state.root))
    try:
        options = providers.docker_options(config.values)
    except ValueError:
        return DockerCli((), f"{stack_state.config_file.name} has docker: settings that cannot be read")
    if content.get("environment") and not {"host", "context"} & set(options):
        return DockerCli((), f"{stack_state.tracked.name} has an environment, which may say where it is")
    return DockerCli.with_arguments(options, providers.docker_secrets(config.secret_keys.__contains__))
