"""Single values: what each key takes, what it becomes, and what is refused with which words."""

from __future__ import annotations

import itertools
import re
import zoneinfo
from typing import Any, NoReturn

import pytest

from components.config import checks
from components.config.addresses import PublicUrl
from components.config.checks import Invalid
from components.config.keys import KEYS
from tests.tables import each
from tests.unit.given import BAD, GOOD


def rows(table: dict[str, list[tuple[str, Any]]]) -> list[tuple[str, str, Any]]:
    return [(name, text, expected) for name, pairs in table.items() for text, expected in pairs]


def test_every_key_has_good_and_bad_values_to_try() -> None:
    assert set(GOOD) == set(KEYS)
    assert set(BAD) == set(KEYS)
    assert all(GOOD.values())
    assert all(BAD.values())


def test_a_good_value_is_taken() -> None:
    def check(name: str, text: str, expected: Any) -> None:
        assert KEYS[name].check(text) == expected

    each(rows(GOOD), check)


def test_a_bad_value_is_refused_with_what_is_allowed() -> None:
    def check(name: str, text: str, allowed: str) -> None:
        with pytest.raises(Invalid) as refused:
            KEYS[name].check(text)
        assert allowed in refused.value.allowed

    each(rows(BAD), check)


def test_a_variable_in_a_url_is_told_to_be_none() -> None:
    for name in ("publicUrl", "videoServiceUrl", "keycloakUrl", "rabbitUrl", "letsencryptAcmeServer", "embeddedBy"):
        for text in ("https://video.zz:${HTTPS_PORT}", "https://${HOST}", "https://$(hostname)"):
            with pytest.raises(Invalid) as refused:
                KEYS[name].check(text)
            assert "no variables here" in refused.value.allowed, (name, text)


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
    ("publicUrl", "https://meet.example.com:${HTTPS_PORT}", "https://meet.example.com"),
    ("publicUrl", "https://https://meet.example.com", "https://meet.example.com"),
    ("publicUrl", "https//meet.example.com", "https://meet.example.com"),
    ("publicUrl", "https:/meet.example.com", "https://meet.example.com"),
    ("publicUrl", "https://meet.example.com:8443:8443", "https://meet.example.com:8443"),
    ("publicUrl", "https://meet.example.com.", "https://meet.example.com"),
    ("publicUrl", "'https://meet.example.com'", "https://meet.example.com"),
    ("publicUrl", "https://admin:hunter2%40meet.example.com", "https://HOST"),
    ("publicUrl", "admin:hunter2", "https://HOST"),
    ("publicUrl", "https://", "https://HOST"),
    ("publicUrl", "http://localhost:8000", "https://localhost"),
    ("httpsPort", "443 ", "443"),
    ("httpsPort", "443/tcp", "443"),
    ("httpsPort", "443:443", "443"),
    ("httpsPort", "0.0.0.0:443", "443"),
    ("httpsPort", "8443:443", "8443"),
    ("httpsPort", "https", ""),
    ("turnPort", "3478/udp", "3478"),
    ("turnRelayPorts", "49160 - 49209", "49160-49209"),
    ("turnRelayPorts", "49160:49209/udp", "49160-49209"),
    ("enableGuests", "true ", "true"),
    ("enableGuests", "Y", "true"),
    ("enableGuests", "t", "true"),
    ("enableGuests", "enabled", "true"),
    ("enableAuth", "'no'", "false"),
    ("enableAuth", "maybe", ""),
    ("conferenceTimeout", "30 ", "30"),
    ("conferenceTimeout", "1m", "60"),
    ("conferenceTimeout", "2h", ""),
    ("dnsTtl", "auto", "1"),
    ("dnsTtl", "1h", "3600"),
    ("tls", "selfsigned", "self-signed"),
    ("tls", "self_signed", "self-signed"),
    ("tls", "Lets-Encrypt", "letsencrypt"),
    ("tls", "acme", "letsencrypt"),
    ("tls", "traefik", "proxy"),
    ("tls", "off", "proxy"),
    ("tls", "ssl", ""),
    ("turn", "coturn", ""),
    ("rabbitMq", "true", "embedded"),
    ("authType", "ldap", ""),
    ("jwtAppId", "my_app ", "my_app"),
    ("jwtAcceptedIssuers", "other app, x", "other app,x"),
    ("xmppMucModules", "token_moderation;close_room", "token_moderation,close_room"),
    ("xmppMucModules", "token_moderation weather_report", "token_moderation,VALUE"),
    ("embeddedBy", "app.example.com", "https://app.example.com"),
    ("embeddedBy", "https://a.example.com/x https://b.example.com", "https://a.example.com,https://b.example.com"),
    ("embeddedBy", "'self'", "self"),
    ("embeddedBy", "SELF", "self"),
    ("embeddedBy", "none", "self"),
    ("embeddedBy", "self,https://app.example.com", "https://app.example.com"),
    ("embeddedBy", "https://*.example.com", "https://HOST"),
    ("dockerHostAddress", "198.51.100.7 198.51.100.8", "198.51.100.7,198.51.100.8"),
    ("dockerHostAddress", "198.51.100.7;198.51.100.8", "198.51.100.7,198.51.100.8"),
    ("dockerHostAddress", "198.51.100.7:10001,198.51.100.8", "198.51.100.7#10001,198.51.100.8"),
    ("dockerHostAddress", "198.51.100.7,127.0.0.1", "198.51.100.7,ADDRESS"),
    ("dockerHostAddress", "[2001:db8::1]#10001", "2001:db8::1#10001"),
    ("dockerHostAddress", "192.168.001.005", "192.168.1.5"),
    ("dockerHostAddress", "192.168.1.010", "ADDRESS"),
    ("stunServers", "a.example.com b.example.com:2", "a.example.com:3478,b.example.com:2"),
    ("stunServers", "none:3478", "HOST:3478"),
    ("rabbitUrl", "stomp://mq:61613", "http://mq:15672/api/exchanges/%2F/statistics.topic/publish"),
    ("rabbitUrl", "amqp://mq/prod", "http://mq:15672/api/exchanges/prod/statistics.topic/publish"),
    ("rabbitUrl", "http://mq:1/api/exchanges/prod/events/publish/", "http://mq:1/api/exchanges/prod/events/publish"),
    ("rabbitUrl", "http://mq:1/api/exchanges/prod/events", "http://mq:1/api/exchanges/prod/events/publish"),
    ("rabbitUrl", "https://mq/a/api/exchanges/v/e", "https://mq/a/api/exchanges/v/e/publish"),
    ("rabbitUrl", "https://mq", "https://mq/api/exchanges/%2F/statistics.topic/publish"),
    ("rabbitUrl", "http://mq:5672/api/exchanges/v/e/publish", "http://mq:15672/api/exchanges/v/e/publish"),
    ("rabbitUrl", "http://mq:1/api/exchanges/%252F/e/publish", "http://mq:1/api/exchanges/%2F/e/publish"),
    ("rabbitUrl", "http://mq:1/api/exchanges///e/publish", "http://mq:1/api/exchanges/%2F/e/publish"),
    ("rabbitUrl", "http://mq:1/prod/events", "http://mq:1/api/exchanges/VHOST/EXCHANGE/publish"),
    ("letsencryptEmail", "mailto:admin@example.com", "admin@example.com"),
    ("letsencryptEmail", "Admin <admin@example.com>", "admin@example.com"),
    ("timeZone", "GMT+2", "Etc/GMT-2"),
    ("timeZone", "UTC+02:00", "Etc/GMT-2"),
    ("timeZone", "UTC+5:30", ""),
    ("timeZone", "etc/gmt+2", "Etc/GMT+2"),
    ("restartPolicy", "false", "no"),
    ("restartPolicy", "unless_stopped", "unless-stopped"),
    ("restartPolicy", "on-failure:3", "on-failure"),
    ("jitsiRelease", "stable-7210", "stable-11146-2"),
    ("jitsiRelease", "latest", ""),
    ("jitsiRelease", "stable-11146-0", "stable-11146"),
    ("jitsiRelease", "stable-011146-02", "stable-11146-2"),
    ("jitsiRelease", "11146-3", "stable-11146-3"),
    ("imageRegistry", "ghcr.io/jitsi/web:stable-11146", "ghcr.io/jitsi"),
    ("imageRegistry", "ghcr.io/jitsi/jvb", "ghcr.io/jitsi"),
    ("imageRegistry", "https://hub.docker.com/r/jitsi", "docker.io/jitsi"),
    ("imageRegistry", "registry:99999/jitsi", "REGISTRY/PATH"),
    ("letsencryptAcmeServer", "zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("xmppMucModules", "muc,close_room", "VALUE,close_room"),
    ("logMaxSize", "10 MiB", "10m"),
    ("logMaxSize", "10", ""),
]


def test_the_fix_says_what_was_meant_and_can_be_typed() -> None:
    def check(name: str, text: str, proposed: str) -> None:
        with pytest.raises(Invalid) as refused:
            KEYS[name].check(text)
        assert refused.value.example == proposed
        if proposed and not re.search("[A-Z]{4}", proposed):
            KEYS[name].check(proposed)

    each(PROPOSED, check)


def test_no_refusal_proposes_the_default_or_what_it_refuses() -> None:
    """Words to fill in are in capitals; the rest derives from the text itself."""

    def check(name: str, text: str) -> None:
        try:
            KEYS[name].check(text)
        except Invalid as refused:
            proposed = refused.example
        else:
            return
        derived = {"0": "false", "-1": "true"}
        assert not proposed or proposed != KEYS[name].default or proposed == derived.get(text) or "false" in proposed
        assert "//https" not in proposed
        if proposed and not re.search("[A-Z]{4}", proposed):
            KEYS[name].check(proposed)

    plain = [name for name, key in KEYS.items() if not key.secret]
    words = ["https", "x y", "?", "99999999", "svc:hunter2", "https://", "a,b;c", "0.0.0.0:443", "none", " off ", "-1"]
    each(itertools.product(plain, words), check)


REMOVED = [
    ("letsencryptAcmeServer", "letsencrypt"),
    ("letsencryptAcmeServer", "letsencrypt_test"),
    ("letsencryptAcmeServer", "https://acme-v01.api.letsencrypt.org/directory"),
    ("embeddedBy", "*"),
    ("embeddedBy", "any"),
    ("authType", "none"),
    ("authType", "anonymous"),
    ("rabbitMq", "external"),
    *(
        (name, text)
        for name in ("stunServers", "turn", "turnHost", "rabbitMq", "rabbitUrl", "dnsZone", "dnsZoneId")
        for text in ("none", "off", "false", "No", "'none'")
    ),
    ("letsencryptEmail", "none"),
    ("letsencryptAcmeServer", "none"),
    ("dockerHostAddress", "none"),
]


def test_what_stands_for_none_has_to_go_and_switches_nothing_on() -> None:
    def check(name: str, text: str) -> None:
        with pytest.raises(Invalid) as refused:
            KEYS[name].check(text)
        assert refused.value.remove

    each(REMOVED, check)


def test_the_default_and_the_example_are_good_values() -> None:
    """The example stands in the command that fixes a wrong value; a secret key has neither."""
    for name, key in KEYS.items():
        if key.secret:
            assert key.default == key.example == "", name
        else:
            assert key.example, f"{name}: every plain key has an example"
    each([(name, text) for name, key in KEYS.items() for text in (key.default, key.example) if text], takes)


def takes(name: str, text: str) -> None:
    KEYS[name].check(text)


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
        ("fd00::1", True),
        ("203.0.113.10", False),
        ("2001:db8::1", False),
    ],
)
def test_private_addresses_are_those_that_only_their_own_network_reaches(address: str, private: bool) -> None:
    (one,) = checks.host_addresses(address)
    assert one.is_private is private
