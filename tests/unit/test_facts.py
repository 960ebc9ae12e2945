"""The output `facts`: what programs are told of a stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from components.config.ports import held_ports
from components.stack import services
from components.stack.facts import facts
from tests.values import DOMAIN, OWN_SECRETS, STATISTICS, TLS_OWN, TURN_EXTERNAL, load

ROOT: Final = Path(__file__).resolve().parents[2]


def found(**values: str) -> dict[str, Any]:
    settings = load(**values)
    return facts(settings, held_ports(settings), services.specs(settings))


@pytest.mark.parametrize(
    ("name", "values"),
    [("domain", {**DOMAIN, **STATISTICS, "turn": "embedded"}), ("local", {})],
)
def test_the_facts_of_a_stack(name: str, values: dict[str, str], golden: Callable[[str, str], None]) -> None:
    golden(f"facts_{name}.json", json.dumps(found(**values), indent=2) + "\n")


def test_facts_hold_no_secret() -> None:
    text = json.dumps(found(**{**DOMAIN, **STATISTICS, **TURN_EXTERNAL, **OWN_SECRETS, "tls": "own"}))
    assert not [name for name, secret in OWN_SECRETS.items() if secret in text]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, {"mode": "local-ca", "acmeServer": None}),
        ({"tls": "proxy"}, {"mode": "proxy", "acmeServer": None}),
        (TLS_OWN, {"mode": "own", "acmeServer": None}),
        (DOMAIN, {"mode": "letsencrypt", "acmeServer": "https://acme-v02.api.letsencrypt.org/directory"}),
        (
            {**DOMAIN, "letsencryptUseStaging": "true"},
            {"mode": "letsencrypt", "acmeServer": "https://acme-staging-v02.api.letsencrypt.org/directory"},
        ),
        (
            {**DOMAIN, "letsencryptAcmeServer": "https://acme.example.org/directory"},
            {"mode": "letsencrypt", "acmeServer": "https://acme.example.org/directory"},
        ),
    ],
)
def test_where_the_certificate_comes_from(values: dict[str, str], told: dict[str, Any]) -> None:
    assert found(**values)["tls"] == told


def test_where_media_goes_is_told_with_the_port_of_each_address_that_has_its_own() -> None:
    media = found(jvbPort="10002", dockerHostAddress="192.0.2.5,192.0.2.6#10001", stunServers="a.example.org:3478")[
        "media"
    ]
    assert media == {
        "port": 10002,
        "addresses": ["192.0.2.5", "192.0.2.6#10001"],
        "stunServers": ["a.example.org:3478"],
    }


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, {"port": 8000, "redirects": False}),
        (DOMAIN, {"port": 80, "redirects": True}),
        ({**DOMAIN, "tls": "proxy", "httpPort": "8000"}, {"port": 80, "redirects": False}),
    ],
)
def test_where_callers_come_by_plain_http(values: dict[str, str], told: dict[str, Any]) -> None:
    """Whoever types a name without a port comes to 80, whatever the Docker host publishes."""
    assert found(**values)["http"] == told


@pytest.mark.parametrize(
    ("values", "required", "guests", "token"),
    [
        ({}, True, False, True),
        ({"enableGuests": "true"}, True, True, True),
        ({"authType": "internal"}, True, False, False),
        ({"enableAuth": "false"}, False, False, False),
    ],
)
def test_how_users_sign_in(values: dict[str, str], required: bool, guests: bool, token: bool) -> None:
    told = found(**values)["auth"]
    assert (told["required"], told["guests"], told["token"] is not None) == (required, guests, token)


@pytest.mark.parametrize(
    ("values", "broker"),
    [
        ({}, None),
        (STATISTICS, "external"),
        ({"rabbitMq": "embedded", "enableStatistics": "true"}, "embedded"),
        ({"rabbitMq": "embedded"}, None),
    ],
)
def test_where_events_go(values: dict[str, str], broker: str | None) -> None:
    assert found(**values)["statistics"] == {"broker": broker}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, None),
        (TURN_EXTERNAL, {"server": "external", "host": "turn.example.org", "port": 3478, "tlsPort": 5349}),
        (
            {**DOMAIN, "tls": "proxy", "turn": "embedded"},
            {"server": "embedded", "host": "video.example.org", "port": 3478, "tlsPort": None},
        ),
    ],
)
def test_where_turn_is(values: dict[str, str], told: dict[str, Any] | None) -> None:
    assert found(**values)["turn"] == told


def test_every_fact_is_documented() -> None:
    section = (ROOT / "docs" / "verify.md").read_text().partition("## Facts")[2]
    rows = {line.split("`")[1]: line for line in section.splitlines() if line.startswith("| `")}
    told = found(**DOMAIN, **STATISTICS, turn="embedded")
    assert set(rows) == set(told) - {"version"}
    for name, entry in told.items():
        inner = entry[0] if name == "ports" else entry
        for word in inner if isinstance(inner, dict) and name not in ("images", "memory") else ():
            assert f"`{word}`" in rows[name], f"{name}.{word}"
