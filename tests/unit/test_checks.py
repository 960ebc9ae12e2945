"""Single values: what each key takes, what it becomes, and what is refused with which words."""

from __future__ import annotations

import zoneinfo
from typing import Any, NoReturn

import pytest

from components.config import checks
from components.config.addresses import PublicUrl
from components.config.checks import Invalid
from components.config.keys import KEYS
from tests.unit.given import BAD, GOOD


def cases(table: dict[str, list[tuple[str, Any]]]) -> list[Any]:
    return [
        pytest.param(name, text, expected, id=f"{name}-{number}")
        for name, pairs in table.items()
        for number, (text, expected) in enumerate(pairs)
    ]


def test_every_key_has_good_and_bad_values_to_try() -> None:
    assert set(GOOD) == set(KEYS)
    assert set(BAD) == set(KEYS)
    assert all(GOOD.values())
    assert all(BAD.values())


@pytest.mark.parametrize(("name", "text", "expected"), cases(GOOD))
def test_a_good_value_is_taken(name: str, text: str, expected: Any) -> None:
    assert KEYS[name].check(text) == expected


@pytest.mark.parametrize(("name", "text", "allowed"), cases(BAD))
def test_a_bad_value_is_refused_with_what_is_allowed(name: str, text: str, allowed: str) -> None:
    with pytest.raises(Invalid) as refused:
        KEYS[name].check(text)
    assert allowed in refused.value.allowed


def test_a_system_without_a_zone_list_takes_every_zone_that_is_spelled_like_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It cannot tell which there are; the containers have a list of their own."""
    monkeypatch.setattr(zoneinfo, "ZoneInfo", no_zone)
    assert checks.time_zone("Europe/Berlin") == "Europe/Berlin"
    assert checks.time_zone("Europe/Nowhere") == "Europe/Nowhere"
    with pytest.raises(Invalid):
        checks.time_zone("../etc/passwd")


def no_zone(name: str) -> NoReturn:
    raise zoneinfo.ZoneInfoNotFoundError(name)


@pytest.mark.parametrize("name", KEYS)
def test_the_default_and_the_example_are_good_values(name: str) -> None:
    """The example stands in the command that fixes a wrong value."""
    key = KEYS[name]
    assert key.secret or key.example, "every plain key has an example"
    for text in filter(None, (key.default, key.example)):
        key.check(text)


@pytest.mark.parametrize("name", KEYS)
def test_a_secret_key_has_neither_default_nor_example(name: str) -> None:
    if KEYS[name].secret:
        assert KEYS[name].default == ""
        assert KEYS[name].example == ""


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if key.secret])
def test_the_refusal_of_a_secret_does_not_repeat_it(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        KEYS[name].check("hunter2\n\x00")
    assert refused.value.given is None
    assert "hunter2" not in refused.value.allowed


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://video.example.org", "https://video.example.org"),
        ("https://video.example.org:443/", "https://video.example.org"),
        ("https://video.example.org:8443", "https://video.example.org:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_origin_names_the_port_where_it_is_not_443(text: str, origin: str) -> None:
    """The web image needs the port in PUBLIC_URL, and none where it is the standard one."""
    assert checks.public_url(text).origin == origin


@pytest.mark.parametrize(
    ("host", "local", "public"),
    [
        ("onlineberatung.local", True, False),
        ("localhost", True, False),
        ("video.intranet", True, False),
        ("beratung.home.arpa", True, False),
        ("video.example.org", False, True),
        ("local.example.org", False, True),
        ("192.0.2.10", False, False),
        ("2001:db8::1", False, False),
    ],
)
def test_local_and_public_names_are_told_apart(host: str, local: bool, public: bool) -> None:
    url = PublicUrl(host, 443)
    assert (url.is_local_name, url.is_public_name) == (local, public)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.0.0.1", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("169.254.0.1", True),
        ("fd00::1", True),
        ("203.0.113.10", False),
        ("2001:db8::1", False),
    ],
)
def test_private_addresses_are_those_that_only_their_own_network_reaches(address: str, private: bool) -> None:
    (one,) = checks.host_addresses(address)
    assert one.is_private is private
