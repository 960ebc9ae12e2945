"""Single values: what each key takes, what it becomes, and what is refused with which words."""

from __future__ import annotations

import re
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


def test_a_machine_without_a_zone_list_takes_the_same_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images' list decides, and not that of the machine that happens to check."""
    monkeypatch.setattr(zoneinfo, "ZoneInfo", no_zone)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert checks.time_zone("Europe/Berlin") == "Europe/Berlin"
    for text in ("Europe/Nowhere", "US/Pacific"):
        with pytest.raises(Invalid):
            checks.time_zone(text)


def no_zone(name: str) -> NoReturn:
    raise zoneinfo.ZoneInfoNotFoundError(name)


# What the fixing command proposes: what was meant, of the host at hand, or a word in capitals to fill in.
PROPOSED = [
    ("publicUrl", "http://meet.example.org", "https://meet.example.org"),
    ("publicUrl", "http://meet.example.org:80/", "https://meet.example.org"),
    ("publicUrl", "meet.example.org:8443", "https://meet.example.org:8443"),
    ("publicUrl", "https://meet.example.org:6000", "https://meet.example.org"),
    ("publicUrl", "https://meet.example.org/room?jwt=eyJhbGciOi", "https://meet.example.org"),
    ("publicUrl", "https://admin:hunter2@meet.example.org/", "https://meet.example.org"),
    ("publicUrl", "https://admin:hun/ter2@meet.example.org/", "https://HOST"),
    ("publicUrl", "https://stra\u00dfe.example", "https://xn--strae-oqa.example"),
    ("publicUrl", "https://0.0.0.0", "https://HOST"),
    ("dnsZone", "b\u00fccher.example", "xn--bcher-kva.example"),
    ("dnsZone", "https://example.com/", "example.com"),
    ("dnsZone", "example", "ZONE"),
    ("dnsZoneId", "F" * 32, "f" * 32),
    ("dockerHostAddress", "198.51.100.7:10001", "198.51.100.7#10001"),
    ("dockerHostAddress", "[2001:db8::1]", "2001:db8::1"),
    ("dockerHostAddress", "198.51.100.7, 198.51.100.8", "198.51.100.7,198.51.100.8"),
    ("dockerHostAddress", "127.0.0.1", "ADDRESS"),
    ("bindAddress", "0.0.0.0,192.168.1.5,::", "0.0.0.0,::"),
    ("stunServers", "stun:stun.example.com:19302", "stun.example.com:19302"),
    ("stunServers", "stun.example.com", "stun.example.com:3478"),
    ("stunServers", "2001:db8::1:3478", "HOST:3478"),
    ("turnHost", "turns:turn.example.com:443", "turn.example.com"),
    ("turnHost", "deploy:hunter2@turn.example.com", "turn.example.com"),
    (
        "rabbitUrl",
        "amqps://mq.example.com:5671",
        "https://mq.example.com:15671/api/exchanges/%2F/statistics.topic/publish",
    ),
    ("rabbitUrl", "http://mq:15672/", "http://mq:15672/api/exchanges/%2F/statistics.topic/publish"),
    ("letsencryptAcmeServer", "http://acme.example.com/d", "https://acme.example.com/d"),
    ("letsencryptEmail", "admin", "NAME@DOMAIN"),
    ("imageRegistry", "https://deploy:hunter2secret@reg.example.com/Jitsi/", "reg.example.com/jitsi"),
    ("imageRegistry", "reg.example.com/jitsi:latest", "reg.example.com/jitsi"),
    ("timeZone", "US/Pacific", "America/Los_Angeles"),
    ("timeZone", "GB", "Europe/London"),
    ("timeZone", "Europe/Kiev", "Europe/Kyiv"),
    ("timeZone", "europe/berlin", "Europe/Berlin"),
    ("timeZone", "Berlin", "Europe/Berlin"),
    ("xmppMucModules", "token_moderation,mod_close-room,create_rom", "token_moderation,close_room,create_room"),
    ("jwtAcceptedIssuers", "one, two,", "one,two"),
    ("restartPolicy", "Always", "always"),
    ("logMaxSize", "10MB", "10m"),
    ("enableAuth", "Yes", "true"),
]


@pytest.mark.parametrize(("name", "text", "proposed"), PROPOSED)
def test_the_fix_says_what_was_meant_and_can_be_typed(name: str, text: str, proposed: str) -> None:
    with pytest.raises(Invalid) as refused:
        KEYS[name].check(text)
    assert refused.value.example == proposed


@pytest.mark.parametrize(
    ("name", "proposed"), [(name, it) for name, _, it in PROPOSED if not re.search("[A-Z]{4}", it)]
)
def test_what_is_proposed_is_taken(name: str, proposed: str) -> None:
    KEYS[name].check(proposed)


@pytest.mark.parametrize("text", ["letsencrypt", "letsencrypt_test"])
def test_a_word_of_acme_sh_has_to_go(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        KEYS["letsencryptAcmeServer"].check(text)
    assert refused.value.remove


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
