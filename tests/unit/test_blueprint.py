"""The blueprint: all that follows from the settings, complete and without a secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import pytest

from components.config.settings import Settings
from components.stack.blueprint import Blueprint, blueprint
from components.stack.dns import DnsRecord
from components.stack.spec import SecretRef, SecretText
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, TLS_OWN, TURN_EXTERNAL, VIDEO_SERVICE, load

SETTINGS: Final[dict[str, dict[str, str]]] = {
    "defaults": {},
    "all elsewhere": {**DOMAIN, **DNS, **STATISTICS, **VIDEO_SERVICE, **TURN_EXTERNAL},
    "all embedded": {"rabbitMq": "embedded", "turn": "embedded", "dockerHostAddress": "192.168.1.5"},
    "embedded, with events": {"rabbitMq": "embedded", "enableStatistics": "true"},
    "a broker that is not used": {**STATISTICS, "enableStatistics": "false"},
    "own secrets": {**DOMAIN, **STATISTICS, **TURN_EXTERNAL, **OWN_SECRETS, "tls": "own"},
    "no tokens": {"enableAuth": "false"},
}


def named_secrets(value: Any) -> Iterator[str]:
    """Every secret that is named anywhere in a value."""
    if isinstance(value, SecretRef | SecretText):
        yield from value.made_from
    elif isinstance(value, dict):
        for item in value.values():
            yield from named_secrets(item)


def known_secrets(wanted: Blueprint) -> set[str]:
    known = {one.name for one in wanted.credentials} | set(wanted.passed_on)
    return known | {"tls_certificate", "tls_private_key"} if wanted.certificate else known


@pytest.mark.parametrize("name", SETTINGS)
def test_every_secret_that_is_named_is_one_that_there_is(name: str) -> None:
    wanted = blueprint(load(**SETTINGS[name]))
    named = {one for spec in wanted.containers for one in spec.secret_names} | {*named_secrets(wanted.outputs)}
    assert named <= known_secrets(wanted)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_secret_that_there_is_reaches_a_container(name: str) -> None:
    """One that nobody is given has no business in the state, but for those of what may be off for a while only."""
    wanted = blueprint(load(**SETTINGS[name]))
    unused = known_secrets(wanted) - {one for spec in wanted.containers for one in spec.secret_names}
    assert unused <= {"rabbit_password", "jwt_app_secret"}


@pytest.mark.parametrize("name", SETTINGS)
def test_no_secret_shows_in_it(name: str) -> None:
    text = repr(blueprint(load(**SETTINGS[name])))
    assert not [key for key, secret in OWN_SECRETS.items() if secret in text]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_container_comes_after_those_that_it_starts_after(name: str) -> None:
    seen: set[str] = set()
    for spec in blueprint(load(**SETTINGS[name])).containers:
        assert {*spec.starts_after, *([spec.replaced_with] if spec.replaced_with else [])} <= seen, spec.role
        seen.add(spec.role)


def test_passwords_for_services_elsewhere_are_not_handed_out() -> None:
    wanted = blueprint(load(**SETTINGS["all elsewhere"]))
    assert set(wanted.passed_on) == {"rabbit_password", "video_service_password"}
    assert not set(wanted.passed_on) & {one.name for one in wanted.credentials}


def test_of_several_issuers_and_audiences_the_video_service_is_told_the_first() -> None:
    settings = load(jwtAcceptedIssuers="first-issuer,second-issuer", jwtAcceptedAudiences="first-aud,second-aud")
    lines = blueprint(settings).outputs["videoServiceProperties"].masked.splitlines()
    assert "video.call.security.jwt.issuer=first-issuer" in lines
    assert "video.call.security.jwt.audience=first-aud" in lines


def test_public_addresses_become_records_once_each() -> None:
    values = {**DOMAIN, "dockerHostAddress": "203.0.113.10,203.0.113.10#10001,10.1.2.3,2001:0DB8::00A"}
    dns = blueprint(load(**values, **DNS, dnsTtl="60")).dns
    assert dns is not None
    assert dns.records == (
        DnsRecord(host="video.example.org", type="A", address="203.0.113.10", ttl=60),
        DnsRecord(host="video.example.org", type="AAAA", address="2001:db8::a", ttl=60),
    )


def test_without_a_zone_there_is_no_record() -> None:
    assert blueprint(load(**DOMAIN)).dns is None


@pytest.mark.parametrize(("values", "certificate"), [({}, True), (TLS_OWN, True), ({"tls": "proxy"}, False)])
def test_a_certificate_is_wanted_where_this_program_has_it(values: dict[str, str], certificate: bool) -> None:
    assert (blueprint(load(**values)).certificate is not None) is certificate


@pytest.mark.parametrize("name", SETTINGS)
def test_each_module_reads_the_settings_in_one_go_and_none_asks_again_later(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data flows one way: what two modules need is worked out once and handed on."""
    settings = load(**SETTINGS[name])
    readers: list[str] = []

    def recording(self: Settings, attribute: str) -> Any:
        module = sys._getframe(1).f_globals["__name__"]
        if module != Settings.__module__ and not attribute.startswith("__"):
            readers.append(module)
        return object.__getattribute__(self, attribute)

    monkeypatch.setattr(Settings, "__getattribute__", recording)
    blueprint(settings)
    visits = [module for module, _ in groupby(readers)]
    assert len(visits) >= 14, "every service and every output is made from them"
    again = sorted({module for module in visits if visits.count(module) > 1})
    assert not again, f"{again} read the settings again after others had: {visits}"
