"""Rules between keys, and the warnings about what is accepted but probably not meant."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from components.config import rules
from components.config.keys import KEYS
from components.config.ports import held_ports
from components.config.problems import Problem, SettingsError, pulumi_command
from components.config.rejected import REJECTED, RejectedValueUsed
from components.config.settings import Settings
from components.stack import firewall
from tests.tables import each
from tests.unit.given import BAD
from tests.values import DNS, DOMAIN, STATISTICS, TLS_OWN, TURN_EXTERNAL, VIDEO_SERVICE, load

VIDEO_SERVICE_NEEDS: Final = ["keycloakUrl", "keycloakClientId", "videoServiceUsername", "videoServicePassword"]
LAN: Final = {"dockerHostAddress": "192.168.1.5"}

# Configurations and the keys of their problems; empty: it is accepted.
PUBLIC = {name: value for name, value in DOMAIN.items() if name != "dockerHostAddress"}
"""A public name whose bridge has no address."""

TABLE: Final[list[tuple[str, dict[str, str], list[str]]]] = [
    ("defaults", {}, []),
    ("three different ports", {"httpPort": "80", "httpsPort": "443", "jvbPort": "10001"}, []),
    ("HTTP takes the default of HTTPS", {"httpPort": "8443"}, ["httpPort"]),
    ("TURN takes the default of TURN with TLS", {**LAN, "turn": "embedded", "turnPort": "5349"}, ["turnPort"]),
    ("media takes a default port of the relay", {**LAN, "turn": "embedded", "jvbPort": "49200"}, ["jvbPort"]),
    ("media, which is UDP, has the number of HTTPS", {**DOMAIN, "jvbPort": "443"}, []),
    ("all three the same", {"httpPort": "80", "httpsPort": "80", "jvbPort": "80"}, ["httpsPort"]),
    ("behind a proxy HTTP has the number of HTTPS", {"tls": "proxy", "httpPort": "8443"}, []),
    (
        "staging of one authority and another one",
        {**DOMAIN, "letsencryptUseStaging": "true", "letsencryptAcmeServer": "https://acme.example.org/d"},
        ["letsencryptUseStaging"],
    ),
    (
        "moderation without authentication",
        {"enableAuth": "false", "xmppMucModules": "token_moderation"},
        ["xmppMucModules"],
    ),
    (
        "room creation by token with accounts",
        {"authType": "internal", "xmppMucModules": "create_room"},
        ["xmppMucModules"],
    ),
    ("closing rooms needs no token", {"enableAuth": "false", "xmppMucModules": "close_room"}, []),
    ("modules of others need no token", {"enableAuth": "false", "xmppMucModules": "muc_size"}, []),
    ("moderation with tokens", {"xmppMucModules": "token_moderation"}, []),
    ("statistics with nothing", {"enableStatistics": "true"}, ["rabbitUrl", "rabbitUsername", "rabbitPassword"]),
    ("statistics with everything", STATISTICS, []),
    ("a broker that is not used", {**STATISTICS, "enableStatistics": "false"}, []),
    ("half a broker that is not used", {"rabbitUsername": "x"}, []),
    ("a VideoService with nothing", {"videoServiceUrl": "https://a.example.org"}, VIDEO_SERVICE_NEEDS),
    ("a VideoService with everything, and no statistics", VIDEO_SERVICE, []),
    ("half a VideoService that is not used", {"keycloakUrl": "http://keycloak.example.org"}, []),
    (
        "a password and a token that cross the internet readable",
        {**VIDEO_SERVICE, "keycloakUrl": "http://198.51.100.7/auth", "videoServiceUrl": "http://app.example.org"},
        ["keycloakUrl", "videoServiceUrl"],
    ),
    (
        "both in a private network by http",
        {**VIDEO_SERVICE, "keycloakUrl": "http://keycloak:8080/auth", "videoServiceUrl": "http://10.1.2.3:8080"},
        [],
    ),
    (
        "both by local names and http",
        {**VIDEO_SERVICE, "keycloakUrl": "http://keycloak.lan", "videoServiceUrl": "http://video.internal:8080"},
        [],
    ),
    ("an address once with jvbPort", {"dockerHostAddress": "10.0.0.1,10.0.0.1#10000"}, ["dockerHostAddress"]),
    ("an address with two ports", {"dockerHostAddress": "10.0.0.1,10.0.0.1#10001"}, []),
    ("DNS", {**DOMAIN, **DNS}, []),
    ("the zone is the host", {**DOMAIN, "dnsZone": "video.example.org"}, []),
    ("a zone that the host only ends like", {**DOMAIN, "dnsZone": "ample.org"}, ["dnsZone"]),
    ("a host in another zone", {**DOMAIN, "dnsZone": "example.com"}, ["dnsZone"]),
    ("a zone id alone", {"dnsZoneId": "0" * 32}, ["dnsZone"]),
    ("DNS without address", {**PUBLIC, **DNS}, ["dockerHostAddress"]),
    ("DNS with private addresses", {**DOMAIN, **DNS, "dockerHostAddress": "10.0.0.1,fd00::1"}, ["dockerHostAddress"]),
    ("DNS for an IP address", {**DOMAIN, **DNS, "publicUrl": "https://203.0.113.10"}, ["publicUrl"]),
    ("DNS for a local name", {**DOMAIN, **DNS, "publicUrl": "https://onlineberatung.local"}, ["publicUrl"]),
]


@pytest.mark.parametrize(("values", "keys"), [pytest.param(*case[1:], id=case[0]) for case in TABLE])
def test_rules_between_keys(values: dict[str, str], keys: list[str]) -> None:
    found: list[str] = []
    try:
        load(**values)
    except SettingsError as error:
        found = [one.key for one in error.problems]
    assert found == keys


@pytest.mark.parametrize("tls", ["local-ca", "proxy", "self-signed"])
@pytest.mark.parametrize("turn", ["embedded", ""])
def test_the_ports_that_may_not_collide_are_those_that_the_stack_opens(tls: str, turn: str) -> None:
    """But for the range of TURN's relays, of which any may be taken."""
    settings = load(**LAN, tls=tls, turn=turn)
    held = {
        (protocol, str(one.first)) for one in held_ports(settings) if not one.is_range for protocol in one.protocols
    }
    opened = {(one.protocol, one.ports) for one in firewall.open_ports(held_ports(settings))}
    assert held == {one for one in opened if one[1].isdecimal()}


RICH: Final[dict[str, dict[str, str]]] = {
    "local": {**LAN, "turn": "embedded", "rabbitMq": "embedded", "enableStatistics": "true"},
    "public": {**DOMAIN, **DNS, **STATISTICS, **VIDEO_SERVICE, **TURN_EXTERNAL},
    "own": {**LAN, **TLS_OWN, **STATISTICS, "turn": "embedded", "xmppMucModules": "token_moderation,close_room"},
}


ASKED_FOR: Final = {
    "tlsCertificate": ["tlsPrivateKey"],
    "dnsZone": ["dockerHostAddress"],
    "dnsZoneId": ["dnsZone"],
    "videoServiceUrl": VIDEO_SERVICE_NEEDS,
}
"""What a key asks for by being set, whatever to."""


@pytest.mark.parametrize("base", RICH)
def test_a_rejected_value_is_one_problem_and_no_rule_makes_a_second_one_of_it(base: str) -> None:
    assert load(**RICH[base])

    def check(name: str, text: str) -> None:
        with pytest.raises(SettingsError) as error:
            load(**{**RICH[base], name: text})
        first, *others = list(dict.fromkeys(one.key.partition(".")[0] for one in error.value.problems))
        assert first == name
        assert others in ([], ASKED_FOR.get(name, []))

    each([(name, text) for name in KEYS for text, _ in BAD[name] if text], check)


@pytest.mark.parametrize(
    "rule",
    [rule for topic in rules.TOPICS for rule in topic.RULES],
    ids=lambda rule: f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}",
)
def test_a_rule_ends_at_a_rejected_value_and_never_fails_at_one(rule: Callable[[Settings], Iterator[Problem]]) -> None:
    for base in RICH.values():
        settings = load(**base)
        for key in KEYS.values():
            with contextlib.suppress(RejectedValueUsed):
                for one in rule(dataclasses.replace(settings, **{key.attribute: REJECTED})):
                    assert one.key in KEYS


def test_colliding_ports_are_moved_to_ones_that_are_sound_and_free() -> None:
    """What the message proposes for all of them at once is taken."""
    for values in (
        {"httpPort": "8443"},
        {"httpsPort": "8000"},
        {"httpPort": "9", "httpsPort": "9"},
        {"httpPort": "65535", "httpsPort": "65535"},
        {"turnPort": "5349"},
        {"turnPort": "5349", "turnsPort": "3478", "jvbPort": "5349"},
        {"turnPort": "10000", "turnRelayPorts": "9990-10010"},
        {"turnRelayPorts": "65400-65535", "jvbPort": "65500", "turnPort": "49160"},
        {"turnRelayPorts": "1024-1523", "jvbPort": "1500"},
        {"jvbPort": "49160", "turnPort": "49209"},
        {"turnPort": "6565", "jvbPort": "6565"},
        # Let's Encrypt asks at port 80 alone.
        {"httpPort": "8443", "publicUrl": "https://video.example.org:8443", "letsencryptEmail": "me@example.org"},
    ):
        given = {**LAN, "turn": "embedded", **values}
        with pytest.raises(SettingsError) as error:
            load(**given)
        assert all(one.key in values for one in error.value.problems), f"{values}: blamed a default"
        proposed = {(one.key, one.example) for one in error.value.problems}
        assert len(proposed) == len(dict(proposed)), f"{values}: two values for one key"
        assert load(**{**given, **dict(proposed)})


def test_of_colliding_ports_the_one_of_publicurl_stays_or_is_proposed() -> None:
    for public, http, https, key, example in (
        (":9000", "9000", "9000", "httpPort", "8000"),
        (":8000", "8000", "8000", "httpPort", "8001"),
        ("", "443", "443", "httpPort", "80"),
        ("", "80", "80", "httpsPort", "443"),
    ):
        given = {**LAN, "publicUrl": f"https://192.168.1.5{public}", "httpPort": http, "httpsPort": https}
        with pytest.raises(SettingsError) as error:
            load(**given)
        assert [(one.key, one.example) for one in error.value.problems] == [(key, example)], given
        assert rules.warnings(load(**{**given, key: example})) == []


def test_every_missing_value_of_the_broker_is_named_with_its_command() -> None:
    with pytest.raises(SettingsError) as error:
        load(enableStatistics="true")
    assert [pulumi_command(one, "dev") for one in error.value.problems] == [
        "pulumi config --stack dev set rabbitUrl http://HOST:15672/api/exchanges/%2F/statistics.topic/publish",
        "pulumi config --stack dev set rabbitUsername VALUE",
        "pulumi config --stack dev set --secret rabbitPassword",
    ]


PROXY: Final = {"tls": "proxy", "letsencryptEmail": "", "dockerHostAddress": "203.0.113.10", "bindAddress": ""}
# Configurations and a word of each warning, in order; empty: nothing to warn of.
WITH_WARNINGS: Final[list[tuple[str, dict[str, str], list[str]]]] = [
    ("a whole local stack", LAN, []),
    ("a whole public stack", DOMAIN, []),
    ("no address, local", {}, ["other machines get no audio and video"]),
    (
        "no address, public",
        {"tls": "self-signed", "publicUrl": "https://video.example.org:8443", "embeddedBy": "self"},
        ["dockerHostAddress is not set: participants elsewhere"],
    ),
    (
        "private address with a public name",
        {**LAN, "tls": "self-signed", "publicUrl": "https://video.example.org:8443", "embeddedBy": "self"},
        ["dockerHostAddress 192.168.1.5 is private and publicUrl is public"],
    ),
    ("private and public address", {**DOMAIN, "dockerHostAddress": "10.0.0.1,203.0.113.10"}, []),
    (
        "media at a port that Chrome takes from public addresses alone",
        {**DOMAIN, "dockerHostAddress": "10.0.0.1,10.0.0.2#10000,203.0.113.10", "jvbPort": "443"},
        ["dockerHostAddress 10.0.0.1 is private: there Chrome takes no media from ports 80 and 443"],
    ),
    (
        "an address with such a port of its own",
        {
            **LAN,
            "dockerHostAddress": "192.168.1.5#80,fd00::5#443",
            "bindAddress": "0.0.0.0,::",
            "jvbBindAddress": "0.0.0.0,::",
        },
        ["dockerHostAddress 192.168.1.5#80,fd00::5#443 is private"],
    ),
    ("such a port at a public address", {**DOMAIN, "dockerHostAddress": "203.0.113.10", "jvbPort": "443"}, []),
    (
        "another port outside",
        {**DOMAIN, "httpsPort": "8443"},
        ["publicUrl has port 443 and httpsPort is 8443: fine where a router or proxy forwards"],
    ),
    (
        "another port for plain HTTP outside",
        {**DOMAIN, "tls": "self-signed", "letsencryptEmail": "", "httpPort": "8000"},
        ["publicUrl has port 443 and httpPort is 8000"],
    ),
    (
        "private address with a public address as host",
        {**LAN, "publicUrl": "https://203.0.113.10:8443"},
        ["dockerHostAddress 192.168.1.5 is private and publicUrl is public"],
    ),
    ("private address with a private address as host", {**LAN, "publicUrl": "https://192.168.1.5:8443"}, []),
    (
        "a private address in an IPv6 one's clothes",
        {**DOMAIN, "dockerHostAddress": "::ffff:10.0.0.5"},
        ["dockerHostAddress 10.0.0.5 is private"],
    ),
    (
        "keys of Let's Encrypt that nobody reads",
        {**LAN, "letsencryptEmail": "a@example.org", "letsencryptUseStaging": "true"},
        ["letsencryptEmail has no effect while tls is local-ca", "letsencryptUseStaging has no effect"],
    ),
    (
        "a public name that anybody may embed",
        {**DOMAIN, "embeddedBy": ""},
        ["embeddedBy is not set: any site may show the page in a frame"],
    ),
    (
        "any issuer and audience",
        {**LAN, "jwtAcceptedIssuers": "a,*", "jwtAcceptedAudiences": "*"},
        ["Issuers has *", "Audiences has *"],
    ),
    ("any issuer, but no tokens", {**LAN, "authType": "internal", "jwtAcceptedIssuers": "*"}, []),
    ("a proxy with ports of its own", {**DOMAIN, **PROXY, "httpPort": "8000"}, []),
    ("DNS to a proxy on this machine", {**DOMAIN, **PROXY, **DNS}, []),
    (
        "DNS, and a proxy that may be elsewhere",
        {**DOMAIN, **PROXY, **DNS, "bindAddress": "127.0.0.1,192.168.1.5"},
        ["dnsZone is set, tls is proxy and bindAddress is not loopback"],
    ),
    ("no authentication", {**LAN, "enableAuth": "false"}, ["anybody who knows publicUrl can open rooms"]),
    (
        "guests without authentication",
        {**LAN, "enableAuth": "false", "enableGuests": "true"},
        ["anybody who knows publicUrl can open rooms", "enableGuests has no effect"],
    ),
    (
        "tokens without moderation",
        {**LAN, "xmppMucModules": "close_room,create_room"},
        ["lacks token_moderation: everybody with a token becomes moderator"],
    ),
    (
        "tokens without room creation",
        {**LAN, "xmppMucModules": "close_room,token_moderation"},
        ["lacks create_room: participants can open rooms"],
    ),
    (
        "an IPv6 address where nothing is published",
        {**LAN, "dockerHostAddress": "192.168.1.5,fd00::5", "bindAddress": "0.0.0.0,::"},
        ["dockerHostAddress has an IPv6 address and jvbBindAddress none"],
    ),
    (
        "an IPv4 address where nothing is published",
        {**LAN, "bindAddress": "::", "jvbBindAddress": "fd00::5"},
        ['set bindAddress to "0.0.0.0,::"', 'set jvbBindAddress to "192.168.1.5,fd00::5"'],
    ),
    (
        "an IPv6 address of the bridge, and a proxy in front of web",
        {**DOMAIN, **PROXY, "dockerHostAddress": "203.0.113.10,2001:db8::1", "jvbBindAddress": "0.0.0.0"},
        ['set jvbBindAddress to "0.0.0.0,::"'],
    ),
    (
        "a private TURN server for a public page",
        {**DOMAIN, **TURN_EXTERNAL, "turnHost": "10.1.2.3"},
        ["turnHost 10.1.2.3 is private and publicUrl is public"],
    ),
    (
        "a TURN server by a name of the own network for a public page",
        {**DOMAIN, **TURN_EXTERNAL, "turnHost": "turn.lan"},
        ["turnHost turn.lan is private"],
    ),
    ("a private TURN server for a private page", {**LAN, **TURN_EXTERNAL, "turnHost": "10.1.2.3"}, []),
    ("a public TURN server for a public page", {**DOMAIN, **TURN_EXTERNAL}, []),
    (
        "an authority that wants an account",
        {**DOMAIN, "letsencryptAcmeServer": "https://dv.acme-v02.api.pki.goog/directory"},
        ["letsencryptAcmeServer: dv.acme-v02.api.pki.goog gives certificates to accounts of its own alone"],
    ),
    ("an authority that wants none", {**DOMAIN, "letsencryptAcmeServer": "https://acme.zerossl.com/v2/DV90"}, []),
    ("a bridge on loopback", {**LAN, "jvbBindAddress": "127.0.0.1"}, ["jvbBindAddress is loopback"]),
    ("a bridge on loopback and elsewhere", {**LAN, "jvbBindAddress": "127.0.0.1,192.168.1.5"}, []),
    (
        "the broker over plain http across the internet",
        {**LAN, **STATISTICS, "rabbitUrl": "http://mq.example.org:15672/api/exchanges/%2F/a/publish"},
        ["the broker's password crosses the network readable"],
    ),
    (
        "the broker over plain http in the own network",
        {**LAN, **STATISTICS, "rabbitUrl": "http://10.0.0.2:15672/api/exchanges/%2F/a/publish"},
        [],
    ),
    (
        "the broker over plain http by a name of the own network",
        {**LAN, **STATISTICS, "rabbitUrl": "http://mq:15672/api/exchanges/%2F/a/publish"},
        [],
    ),
    (
        "a broker on localhost",
        {**LAN, **STATISTICS, "rabbitUrl": "https://localhost:15672/api/exchanges/%2F/a/publish"},
        ["prosody's own container"],
    ),
    (
        "a broker on loopback, but statistics off",
        {**LAN, "rabbitUrl": "https://127.0.0.1:15672/api/exchanges/%2F/a/publish"},
        [],
    ),
]


@pytest.mark.parametrize(("values", "words"), [pytest.param(*case[1:], id=case[0]) for case in WITH_WARNINGS])
def test_warnings(values: dict[str, str], words: list[str]) -> None:
    warnings = rules.warnings(load(**values))
    assert len(warnings) == len(words), warnings
    for warning, word in zip(warnings, words, strict=True):
        assert word in warning


def test_a_docker_host_without_tls_that_others_can_listen_to_is_warned_of() -> None:
    for url, options, warned in (
        ("tcp://192.0.2.9:2375", {}, True),
        ("tcp://[2001:db8::9]:2375", {}, True),
        ("tcp://box:2375", {"registry_auth": []}, True),
        ("tcp://box:2376", {"cert_path": "/certs"}, False),
        ("tcp://box:2376", {"ca_material": "ca", "cert_material": "c", "key_material": "k"}, False),
        ("tcp://box:2375", {"context": "far"}, False),
        ("tcp://127.0.0.1:2375", {}, False),
        ("tcp://[::1]:2375", {}, False),
        ("tcp://localhost:2375", {}, False),
        ("ssh://me@box", {}, False),
        ("unix:///var/run/docker.sock", {}, False),
    ):
        settings = dataclasses.replace(load(**LAN), docker_url=url, docker=options)
        found = [one for one in rules.warnings(settings) if one.startswith("docker:host")]
        assert bool(found) == warned, (url, options, found)
        assert not found or f"{url} has no TLS" in found[0]


def test_every_warning_names_a_key() -> None:
    for _, values, _ in WITH_WARNINGS:
        for warning in rules.warnings(load(**values)):
            assert any(name in warning for name in KEYS), warning
