"""Small configurations that were once taken wrongly, each with the outcome that is right. Each stands for a kind.

`refused` names the key and what the fixing command proposes (`rm` where the key has to go), `warned` a word of the
warning, `taken` the attribute and its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from components.config import rules
from components.config.load import load_all
from components.config.problems import SettingsError
from components.config.settings import Settings
from components.stack import blueprint
from tests.values import DOMAIN, OWN_SECRETS, STATISTICS, TLS_OWN, VIDEO_SERVICE

LAN = {"dockerHostAddress": "192.168.1.5"}
PUBLIC = {name: value for name, value in DOMAIN.items() if name not in ("bindAddress", "jvbBindAddress")} | {
    "dockerHostAddress": "203.0.113.10"
}
PUBLISH = "/api/exchanges/%2F/statistics.topic/publish"

REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"rabbitUrl": f"http://[fd00::5]:15672{PUBLISH}"}, "rabbitUrl", f"http://HOST:15672{PUBLISH}"),
    ({"jvbAuthPassword": ":abcdefghijklmn"}, "jvbAuthPassword", ""),
    ({"turn": "embedded", "turnSecret": "=abcdefghijklmn"}, "turnSecret", ""),
    (
        {**STATISTICS, "xmppMucModules": "token_moderation,create_room"},
        "xmppMucModules",
        "token_moderation,create_room,close_room",
    ),
    (
        {**VIDEO_SERVICE, "xmppMucModules": "token_moderation,create_room"},
        "xmppMucModules",
        "token_moderation,create_room,close_room",
    ),
    (
        {"xmppMucModules": "token_moderation,close_rom,create_room"},
        "xmppMucModules",
        "token_moderation,close_room,create_room",
    ),
    ({"publicUrl": "https://straße.example"}, "publicUrl", "https://xn--strae-oqa.example"),
    ({"dnsZone": "bücher.example", "cloudflare:apiToken": "x"}, "dnsZone", "xn--bcher-kva.example"),
    ({"publicUrl": "http://meet.example.org"}, "publicUrl", "https://meet.example.org"),
    ({"letsencryptAcmeServer": "letsencrypt"}, "letsencryptAcmeServer", "rm"),
    ({"ENABLE_HSTS": "1"}, "ENABLE_HSTS", "rm"),
    ({"JVB_TCP_PORT": "4443"}, "JVB_TCP_PORT", "rm"),
    ({"stunServers": "2001:db8::1:3478"}, "stunServers", "HOST:3478"),
    ({"timeZone": "US/Pacific"}, "timeZone", "America/Los_Angeles"),
    ({"timeZone": "Asia/Calcutta"}, "timeZone", "Asia/Kolkata"),
    ({"docker:host": "unix://var/run/docker.sock"}, "docker:host", "unix:///var/run/docker.sock"),
    ({"turn": "external", "turnHost": "turn.example.org", "turnsPort": "853"}, "turnsPort", ""),
    ({**PUBLIC, "jitsiRelease": "stable-11146"}, "jitsiRelease", "stable-11146-2"),
    ({**PUBLIC, "jitsiRelease": "stable-11146-1"}, "jitsiRelease", "stable-11146-2"),
    ({"dockerHostAddress": "192.168.1.5,192.168.1.5#10000"}, "dockerHostAddress", "192.168.1.5"),
    ({"bindAddress": "0.0.0.0,192.168.1.5"}, "bindAddress", "0.0.0.0"),
    ({"jwtAcceptedIssuers": "a,${user.home}"}, "jwtAcceptedIssuers", "a,VALUE"),
    ({"dnsZoneId": "0" * 32}, "dnsZone", "ZONE"),
    ({"publicUrl": "https://a.example.org:8000", "tls": "local-ca"}, "publicUrl", "https://a.example.org:8443"),
    ({**PUBLIC, "letsencryptEmail": ""}, "letsencryptEmail", "NAME@DOMAIN"),
    ({"dnsZone": "example.com", "cloudflare:apiToken": "x"}, "publicUrl", "https://onlineberatung.example.com"),
]

WARNED: list[tuple[dict[str, str], str]] = [
    ({"xmppMucModules": "token_moderation,create_room"}, "xmppMucModules lacks close_room: rooms stay"),
    ({"jwtAcceptedIssuers": "*"}, "jwtAcceptedIssuers has *: any is accepted"),
    ({"dockerHostAddress": "192.168.1.5,fd00::5"}, 'set bindAddress to "0.0.0.0,::"'),
    (
        {**PUBLIC, "tls": "proxy", "bindAddress": "0.0.0.0", "dnsZone": "example.org", "cloudflare:apiToken": "x"},
        "where the proxy is on another machine, unset dnsZone",
    ),
    ({**PUBLIC, "dockerHostAddress": "198.18.0.1"}, "dockerHostAddress 198.18.0.1 is private"),
    ({**PUBLIC, "dockerHostAddress": "192.88.99.1"}, "dockerHostAddress 192.88.99.1 is private"),
]

TAKEN: list[tuple[dict[str, str], str, Any]] = [
    (
        {**STATISTICS, "rabbitUrl": f"HTTPS://Rabbitmq.example.org:15671{PUBLISH}"},
        "rabbit_url",
        f"https://rabbitmq.example.org:15671{PUBLISH}",
    ),
    (
        {**PUBLIC, "dockerHostAddress": "::ffff:203.0.113.9", "dnsZone": "example.org", "cloudflare:apiToken": "x"},
        "advertised_addresses",
        "203.0.113.9",
    ),
    ({"bindAddress": "0.0.0.0,::"}, "bind_addresses", (ip_address("0.0.0.0"), ip_address("::"))),
    ({**PUBLIC, "jitsiRelease": "stable-11146-1", "tls": "self-signed"}, "jitsi_release", "stable-11146-1"),
]


def load(values: Mapping[str, str]) -> Settings:
    stored = {name if ":" in name else f"videobackend:{name}": value for name, value in {**LAN, **values}.items()}
    secret = {f"videobackend:{name}" for name in OWN_SECRETS} | {"cloudflare:apiToken"}
    return load_all(stored, stack="dev", secret_keys=secret, project="videobackend")


@pytest.mark.parametrize(("values", "key", "proposed"), REFUSED, ids=[str(row[0]) for row in REFUSED])
def test_it_is_refused_with_what_was_meant(values: dict[str, str], key: str, proposed: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(values)
    (one,) = [problem for problem in error.value.problems if problem.key == key]
    assert (one.example if not one.remove else "rm") == proposed
    assert "did you mean" not in f"{one.reason} {one.allowed}" or key == "xmppMucModules"


@pytest.mark.parametrize(("values", "word"), WARNED, ids=[str(row[0]) for row in WARNED])
def test_it_is_taken_with_a_warning(values: dict[str, str], word: str) -> None:
    assert any(word in warning for warning in rules.warnings(load(values)))


@pytest.mark.parametrize(("values", "attribute", "becomes"), TAKEN, ids=[str(row[0]) for row in TAKEN])
def test_it_is_taken_in_its_normal_form(values: dict[str, str], attribute: str, becomes: Any) -> None:
    value = getattr(load(values), attribute)
    assert becomes == (",".join(map(str, value)) if isinstance(becomes, str) and isinstance(value, tuple) else value)


def test_an_ipv4_address_within_an_ipv6_one_becomes_an_a_record() -> None:
    made = blueprint.blueprint(load(TAKEN[1][0]))
    assert made.dns is not None
    assert [str(record) for record in made.dns.records] == ["video.example.org A 203.0.113.9"]


@pytest.mark.parametrize("host", ["localhost", "video.localhost"])
def test_a_name_that_must_stay_loopback_gets_no_line_for_the_hosts_file(host: str) -> None:
    outputs = blueprint.blueprint(load({"publicUrl": f"https://{host}:8443"})).outputs
    assert "hostsEntry" not in outputs
    assert "hostsEntry" in blueprint.blueprint(load({})).outputs


def test_any_issuer_is_not_handed_to_the_video_service_as_its_name() -> None:
    for issuers, handed in (("*", "videoservice"), ("*,me", "me"), ("me,*", "me")):
        properties = blueprint.blueprint(load({"jwtAcceptedIssuers": issuers})).outputs["videoServiceProperties"]
        assert f"issuer={handed}\n" in properties.render("x" * 32)


def test_text_around_the_blocks_of_a_certificate_is_not_passed_on() -> None:
    chain = f"Bag Attributes\n    localKeyID: 01\n# a comment\n{TLS_OWN['tlsCertificate']}"
    certificate = load({**TLS_OWN, "tlsCertificate": chain}).tls_certificate
    assert certificate is not None
    assert certificate.reveal() == TLS_OWN["tlsCertificate"]


def test_a_long_stack_name_leaves_the_comment_of_a_dns_record_within_cloudflares_limit() -> None:
    stored = {f"videobackend:{name}": value for name, value in {**PUBLIC, "dnsZone": "example.org"}.items()}
    stored["cloudflare:apiToken"] = "x"
    for stack in ("dev", "s" * 100):
        settings = load_all(stored, stack=stack, secret_keys={"cloudflare:apiToken"}, project="videobackend")
        dns = blueprint.blueprint(settings).dns
        assert dns is not None
        assert len(dns.comment) <= 100


REPLACING: list[tuple[str, str, str]] = [
    ("config.js", "var config = {\n  hosts: {},\n};\n", "config.js with single settings"),
    ("config.js", "/* ours */ config = { a: 1 }", "config.js with single settings"),
    ("config.js", "config.a = 1;\nwindow.config = {};", "config.js with single settings"),
    ("config.js", "config.a = 1;\nlet config;", "config.js with single settings"),
    ("config.js", "var a = 1, config = {};", "config.js with single settings"),
    ("config.js", "if (true) { config = Object.assign({}, config) }", "config.js with single settings"),
    ("config.js", "(config = {});", "config.js with single settings"),
    ("config.js", "window['config'] = {};", "config.js with single settings"),
    ("config.js", "globalThis . config = {};", "config.js with single settings"),
    ("config.js", "function config() {}", "config.js with single settings"),
    ("interface_config.js", "var interfaceConfig = {};", "interface_config.js with single settings"),
    ("dynamicBranding.json", "{'a': 1}", "dynamicBranding.json in JSON; line 1"),
    ("dynamicBranding.json", "[]", "with a JSON object"),
    ("manifest.json", "{", "manifest.json in JSON"),
]


def test_branding_that_replaces_or_breaks_the_configuration_is_refused(tmp_path: Path) -> None:
    for number, (name, content, allowed) in enumerate(REPLACING):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_text(content)
        with pytest.raises(SettingsError) as error:
            load({"brandingDir": str(folder)})
        (one,) = error.value.problems
        assert one.key == "brandingDir"
        assert allowed in one.allowed, content


SINGLE: list[str] = [
    "config.a = 1;\nconfig.b = { config: 2 };\n",
    "// var config = {\nconfig.a = 'https://example.org'; /* config = {} */",
    "if (config == null || config === undefined) { throw 1; }\nconfig['a'] = 1;",
    "var myconfig = {};\nconfig.b = myconfig;\nconst configs = 1;",
    "Object.assign(config, { a: 1 });",
    "Object.keys(config).forEach(config => config);",
    "// config.disableThirdPartyRequests = false",
    "config.myAnalyticsPage = 1;",
]

THIRD_PARTIES: list[str] = [
    "config.disableThirdPartyRequests = false;",
    "Object.assign(config, {disableThirdPartyRequests: false});",
    "Object.assign(config, {\n  'disableThirdPartyRequests' : !1\n});",
    "const c = config; c['disableThirdPartyRequests'] = false;",
    "delete config.disableThirdPartyRequests;",
    "config.p2p.stunServers = [{ urls: 'stun:stun.example.org' }];",
    "config.p2p = { ...config.p2p, stunServers };",
    "config.analytics = { amplitudeAPPKey: 'x' };",
    "config.gravatarBaseURL = 'https://gravatar.example.org/';",
]


def test_single_settings_are_taken_and_those_that_contact_third_parties_are_noticed(tmp_path: Path) -> None:
    for content in (*SINGLE, *THIRD_PARTIES, "config.hosts = {};", "config.bosh += '?x';"):
        (tmp_path / "config.js").write_text(content)
        warnings = " ".join(rules.warnings(load({"brandingDir": str(tmp_path)})))
        assert ("by which browsers may contact third parties" in warnings) is (content in THIRD_PARTIES), content
        assert ("which the image sets" in warnings) is (content.startswith(("config.hosts", "config.bosh"))), content
