"""A program run against a monitor that writes down every request: build first, assert after.

Owns the recorder and the scenarios that several tests look at. Knows nothing of what is right.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import runpy
import signal
import sys
import unittest.mock
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks, rpc, set_all_config, set_mocks
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import Stack, run_pulumi_func

from components.config import examples as documentation
from components.config.keys import KEYS
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, TURN_EXTERNAL, VIDEO_SERVICE

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = "videobackend"
STACK_TYPE: Final = "pulumi:pulumi:Stack"
TOKEN: Final = "cloudflare-api-token-0123456789abcdefghij"
ZONE_ID: Final = "0123456789abcdef0123456789abcdef"
GENERATED: Final = "generated-value-of-"


@dataclass(frozen=True)
class Sealed:
    """A value that goes over the wire marked secret."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as the engine is asked for it. URNs for parent and dependencies, `URN::id` for providers."""

    urn: str
    type: str
    name: str
    id: str
    custom: bool
    inputs: Mapping[str, Any]
    """As on the wire: camelCase, numbers as floats, secrets as `Sealed` exactly where they are marked."""
    parent: str
    provider: str
    providers: Mapping[str, str]
    depends_on: frozenset[str]
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    replacement_trigger: Any
    secret_outputs: frozenset[str]
    on_error: tuple[str, ...]


@dataclass
class Recording:
    """All that one run asked of the engine."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """Stack outputs as on the wire."""
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    """Warnings and errors that the operator is shown."""
    error: BaseException | None = None

    def of_type(self, *tokens: str) -> list[Registered]:
        return [one for one in self.resources if one.type in tokens]

    def named(self, name: str) -> Registered:
        (found,) = [one for one in self.resources if one.name == name]
        return found

    def by_urn(self, urn: str) -> Registered:
        (found,) = [one for one in self.resources if one.urn == urn]
        return found

    @property
    def containers(self) -> dict[str, Registered]:
        """Containers by role: the last part of their name."""
        found = self.of_type("docker:index/container:Container")
        return {one.name.removeprefix(f"{PROJECT}-"): one for one in found}


class _Provider(mocks.Mocks):
    """Answers with the inputs and what the real provider would add."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ == "random:index/randomPassword:RandomPassword":
            state["result"] = pulumi.Output.secret(GENERATED + args.name)
        elif args.typ == "tls:index/privateKey:PrivateKey":
            state["privateKeyPem"] = pulumi.Output.secret(GENERATED + args.name)
        elif args.typ == "tls:index/certRequest:CertRequest":
            state["certRequestPem"] = f"request-of-{args.name}"
        elif args.typ in ("tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert"):
            state["certPem"] = f"certificate-of-{args.name}"
        return f"id-of-{args.name}", state

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        self._recording.calls.append((args.token, args.args))
        return {"id": ZONE_ID, "zoneId": ZONE_ID}, []


class _Monitor(mocks.MockMonitor):
    """Also keeps what Pulumi's own mocks drop: the options of each resource, and outputs."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(_Provider(recording))
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        self._recording.resources.append(
            Registered(
                urn=answer.urn,
                type=request.type,
                name=request.name,
                id=answer.id,
                custom=request.custom,
                inputs=plain(request.object),
                parent=request.parent,
                provider=request.provider,
                providers=dict(request.providers),
                depends_on=frozenset(request.dependencies),
                delete_before_replace=request.deleteBeforeReplace,
                replace_on_changes=tuple(request.replaceOnChanges),
                replacement_trigger=_open(json_format.MessageToDict(request.replacement_trigger)),
                secret_outputs=frozenset(request.additionalSecretOutputs),
                on_error=tuple(request.hooks.on_error),
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if f"::{STACK_TYPE}::" in request.urn:
            self._recording.outputs.update(plain(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A Struct of the wire as Python values, secrets as `Sealed`."""
    opened = _open(json_format.MessageToDict(struct))
    assert isinstance(opened, dict)
    return opened


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return Sealed(_open(value["value"]))
        return {name: _open(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_open(item) for item in value]
    return value


def unsealed_text(value: Any) -> Iterator[str]:
    """Every piece of text, keys of maps too, that is not marked secret."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from unsealed_text(item)
    elif isinstance(value, (list, tuple, frozenset)):
        for item in value:
            yield from unsealed_text(item)
    elif isinstance(value, str):
        yield value


def reveal(value: Any) -> Any:
    """The value with every seal broken."""
    if isinstance(value, Sealed):
        return reveal(value.value)
    if isinstance(value, dict):
        return {name: reveal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


class _Log(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def record(
    program: Callable[[], None],
    *,
    stack: str = "dev",
    config: Mapping[str, str] | None = None,
    secret_keys: frozenset[str] = frozenset(),
    preview: bool = False,
    examples: bool = True,
) -> Recording:
    """Runs `program` with this configuration (keys with their namespace); what it raises is in `error`.

    With `examples` it takes the documentation's values, which tests have everywhere, also where an `up` refuses them.
    """
    recording = Recording()
    logger = logging.Logger("recording")
    logger.addHandler(_Log(recording.log))

    def run() -> None:
        set_all_config(dict(config or {}), sorted(secret_keys))
        set_mocks(
            _Provider(recording),
            project=PROJECT,
            stack=stack,
            preview=preview,
            logger=logger,
            monitor=_Monitor(recording),
        )
        # Outputs that were made outside a program wait there for good, on other loops.
        SETTINGS.outputs.clear()
        root = pulumi.runtime.get_root_resource()
        assert isinstance(root, Stack)

        def whole() -> None:
            program()
            root.register_outputs(root.outputs)

        known = (lambda *_: []) if examples else documentation.examples
        try:
            with unittest.mock.patch.object(documentation, "examples", known):
                loop.run_until_complete(run_pulumi_func(whole))
        except Exception as error:
            recording.error = error

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        # Pulumi keeps its state in context variables: a copy keeps one run from the next.
        contextvars.copy_context().run(run)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return recording


def main_program() -> None:
    """`__main__.py`, as the engine runs it."""
    sys.path.insert(0, str(ROOT))
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
    finally:
        signal.signal(signal.SIGINT, interrupted)
        sys.path.remove(str(ROOT))


def namespaced(values: Mapping[str, str]) -> dict[str, str]:
    """Keys of the project with its namespace; a key that has one of its own is kept."""
    return {name if ":" in name else f"{PROJECT}:{name}": value for name, value in values.items()}


def run_main(
    values: Mapping[str, str], *, stack: str = "dev", preview: bool = False, examples: bool = True
) -> Recording:
    """The whole program with these keys; the secret ones are encrypted in the stack file."""
    secret = {*OWN_SECRETS, "cloudflare:apiToken"}
    secret_keys = frozenset(namespaced({name: "" for name in values if name in secret}))
    config = namespaced(values)
    return record(main_program, stack=stack, config=config, secret_keys=secret_keys, preview=preview, examples=examples)


SCENARIOS: Final[Mapping[str, Mapping[str, str]]] = {
    "defaults": {},
    "domain": {**DOMAIN, **STATISTICS, **DNS, "cloudflare:apiToken": TOKEN},
    "own secrets": {**DOMAIN, **STATISTICS, **VIDEO_SERVICE, **OWN_SECRETS, **TURN_EXTERNAL, "tls": "own"},
    "without tokens": {"enableAuth": "false", "stunServers": "stun.example.org:3478", "enableLobby": "false"},
    "behind a proxy": {**DOMAIN, "tls": "proxy"},
    "embedded broker": {"rabbitMq": "embedded", "enableStatistics": "true"},
    "embedded TURN": {**DOMAIN, "turn": "embedded"},
    "embedded TURN with TLS": {"turn": "embedded", "dockerHostAddress": "192.168.1.5"},
    "remote host": {"docker:host": "ssh://deploy@video.example.org", "dockerHostAddress": "192.0.2.7#10001"},
}


@functools.cache
def scenario(name: str, stack: str = "dev") -> Recording:
    """The recording of one scenario, made once."""
    recording = run_main({"publicUrl": KEYS["publicUrl"].default, **SCENARIOS[name]}, stack=stack)
    assert recording.error is None, recording.error
    return recording
