"""The fingerprint that replaces a container, and the spelling of durations."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.resources.docker_host import go_duration
from components.stack import services
from components.stack.spec import ContainerSpec, FileSpec, HealthSpec, PortSpec, SecretRef, SecretText, VolumeSpec
from tests.pem import certificate
from tests.values import OWN_SECRETS, STATISTICS, load

ROOT: Final = Path(__file__).resolve().parents[2]

BASE: Final = ContainerSpec(
    role="web",
    image="ghcr.io/jitsi/web:stable-11146-2",
    environment={"A": "1", "PASSWORD": SecretRef("jvb_auth_password")},
    health=HealthSpec(command=("CMD", "true")),
    memory=256,
    ports=(PortSpec(internal=80, external=8000, ip="0.0.0.0"),),
    files=(FileSpec(path="/a", content="text"),),
    volumes=(VolumeSpec(name="data", path="/data"),),
    tmpfs={"/run": "size=1M"},
)

NOT_SEEN: Final[dict[str, Any]] = {
    "restart": "always",
    "stop_grace": 60,
    "starts_after": ("prosody",),
    "awaited": False,
    "needs": ("prosody",),
    "memory": 512,
    "replaced_with": "prosody",
    "health": HealthSpec(command=("CMD", "true"), deadline=60),
}
"""What Docker changes in a running container, what only matters when it ends, and what Docker never gets."""

CHANGED: Final[dict[str, Any]] = {
    "role": "other",
    "image": "ghcr.io/jitsi/web:stable-11146-3",
    "command": ("-c", "/other"),
    "user": "1000:1000",
    "environment": {"A": "1"},
    "health": HealthSpec(command=("CMD", "false")),
    "aliases": ("other",),
    "networks": ("other",),
    "host_network": True,
    "ports": (),
    "files": (FileSpec(path="/a", content="other"),),
    "volumes": (VolumeSpec(name="data", path="/other"),),
    "tmpfs": {"/run": "size=2M"},
    "read_only": True,
    "capabilities": ("CAP_CHOWN",),
    "gains_capabilities": True,
    "log_max_size": "1g",
    "log_max_files": 9,
}
"""Another value for each field whose change needs a new container."""


def test_of_every_field_it_is_said_whether_a_change_replaces() -> None:
    assert {one.name for one in dataclasses.fields(ContainerSpec)} == {*NOT_SEEN, *CHANGED}


@pytest.mark.parametrize("field", CHANGED)
def test_a_change_that_needs_a_new_container_changes_the_fingerprint(field: str) -> None:
    assert dataclasses.replace(BASE, **{field: CHANGED[field]}).fingerprint != BASE.fingerprint


@pytest.mark.parametrize("field", NOT_SEEN)
def test_a_change_that_the_container_does_not_see_keeps_the_fingerprint(field: str) -> None:
    assert dataclasses.replace(BASE, **{field: NOT_SEEN[field]}).fingerprint == BASE.fingerprint


def test_a_new_field_changes_nobodys_fingerprint_before_it_is_used() -> None:
    """Else an upgrade of this program would replace every container, and end the calls on it, for nothing."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Grown(ContainerSpec):
        extra_hosts: tuple[str, ...] = ()
        limits: Mapping[str, int] = dataclasses.field(default_factory=dict)
        working_directory: str | None = None
        init: bool = False

    grown = Grown(**{one.name: getattr(BASE, one.name) for one in dataclasses.fields(ContainerSpec)})
    assert grown.fingerprint == BASE.fingerprint
    assert dataclasses.replace(grown, init=True).fingerprint != BASE.fingerprint


def test_another_default_changes_the_fingerprint() -> None:
    """A container that was made with the old one has to get the new one."""
    slower = dataclasses.replace(HealthSpec(command=("CMD", "true")), interval=60)
    assert dataclasses.replace(BASE, health=slower).fingerprint != BASE.fingerprint


def test_a_file_made_from_secrets_counts_by_its_text_and_by_which_secrets_they_are() -> None:
    def fingerprint(made_from: tuple[str, ...], render: Callable[..., str]) -> str:
        file = FileSpec(path="/a", content=SecretText(made_from=made_from, render=render))
        return dataclasses.replace(BASE, files=(file,)).fingerprint

    known = fingerprint(("a",), lambda a: f"password={a}")
    assert known == fingerprint(("a",), lambda a: f"password={a}")
    assert known != fingerprint(("a",), lambda a: f"pass={a}")
    assert known != fingerprint(("b",), lambda b: f"password={b}")


def test_a_spec_names_the_secrets_that_reach_its_container() -> None:
    file = FileSpec(path="/a", content=SecretText(made_from=("b", "c"), render=lambda b, c: b + c))
    spec = dataclasses.replace(BASE, environment={"A": SecretRef("a"), "X": "x"}, files=(file,))
    assert spec.secret_names == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("environment", {"A": "2", "PASSWORD": SecretRef("jvb_auth_password")}),
        ("environment", {"A": "1", "PASSWORD": SecretRef("jicofo_auth_password")}),
        ("environment", {"A": "1", "PASSWORD": "jvb_auth_password"}),
        ("environment", {"A": "1", "B": "", "PASSWORD": SecretRef("jvb_auth_password")}),
        ("ports", (PortSpec(internal=80, external=8001, ip="0.0.0.0"),)),
        ("ports", (PortSpec(internal=80, external=8000, ip="127.0.0.1"),)),
        ("ports", (PortSpec(internal=80, external=8000, ip="0.0.0.0", protocol="udp"),)),
        ("health", HealthSpec(command=("CMD", "true"), interval=9)),
        ("health", HealthSpec(command=("CMD", "true"), timeout=9)),
        ("health", HealthSpec(command=("CMD", "true"), retries=9)),
        ("health", HealthSpec(command=("CMD", "true"), start_period=9)),
        ("volumes", (VolumeSpec(name="data", path="/data", read_only=True),)),
        ("files", ()),
        ("files", (FileSpec(path="/b", content="text"),)),
        ("tmpfs", {}),
    ],
)
def test_a_change_inside_a_field_changes_the_fingerprint(field: str, value: Any) -> None:
    assert dataclasses.replace(BASE, **{field: value}).fingerprint != BASE.fingerprint


def test_the_order_of_the_environment_does_not_matter() -> None:
    turned = dict(reversed([*BASE.environment.items()]))
    assert dataclasses.replace(BASE, environment=turned).fingerprint == BASE.fingerprint


def test_the_fingerprint_is_the_same_in_every_run() -> None:
    """It is a label in the state: one that differed between runs would replace containers for nothing."""
    assert re.fullmatch(r"[0-9a-f]{16}", BASE.fingerprint)
    code = f"from components.stack.spec import *; print(({BASE!r}).fingerprint)"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    assert run.stdout.decode().strip() == BASE.fingerprint


def test_specs_hold_no_secret() -> None:
    """So neither a fingerprint nor anything else made from a spec can show one."""
    specs = repr(services.specs(load(**{**STATISTICS, **OWN_SECRETS})))
    assert not [secret for secret in OWN_SECRETS.values() if secret in specs]


def test_another_secret_value_keeps_the_fingerprints() -> None:
    def fingerprints(ending: str) -> list[str]:
        passwords = {name: value + ending for name, value in OWN_SECRETS.items() if not name.startswith("tls")}
        settings = load(
            **passwords,
            **dict(zip(("tlsCertificate", "tlsPrivateKey"), certificate("onlineberatung.local"), strict=True)),
        )
        return [spec.fingerprint for spec in services.specs(settings)]

    assert fingerprints("") == fingerprints("x")


def test_a_spec_shows_its_environment_sorted_and_without_secrets() -> None:
    spec = dataclasses.replace(BASE, environment={"B": "2", "A": SecretRef("jvb_auth_password")})
    assert list(spec.plain_environment.items()) == [("A", "[secret]"), ("B", "2")]


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0, "0s"),
        (3, "3s"),
        (59, "59s"),
        (60, "1m0s"),
        (90, "1m30s"),
        (3600, "1h0m0s"),
        (3661, "1h1m1s"),
        (86400, "24h0m0s"),
    ],
)
def test_durations_are_spelled_as_go_prints_them(seconds: int, spelled: str) -> None:
    assert go_duration(seconds) == spelled


@given(st.integers(min_value=0, max_value=10**7))
def test_a_duration_says_as_many_seconds_as_it_was_given(seconds: int) -> None:
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(\d+)s", go_duration(seconds))
    assert match is not None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    assert hours * 3600 + minutes * 60 + rest == seconds
    assert minutes < 60
    assert rest < 60
