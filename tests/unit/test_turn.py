"""TURN: what must be set, what coturn is told, and what callers and prosody are told of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

import pytest

from components.config import rules
from components.config.ports import held_ports
from components.config.problems import SettingsError
from components.config.values import Turn
from components.stack import firewall, services, topology
from components.stack.services import coturn
from components.stack.spec import ContainerSpec, SecretRef, SecretText
from tests.values import DOMAIN, OWN_SECRETS, TLS_OWN, TURN_EXTERNAL, coturn_file, load

SECRET: Final = OWN_SECRETS["turnSecret"]
EMBEDDED: Final = {"turn": "embedded", "dockerHostAddress": "192.168.1.5"}
NATTED: Final = {
    "turn": "embedded",
    "dockerHostAddress": "203.0.113.10#10001,2001:db8::a",
    "jvbBindAddress": "10.0.0.5,2001:db8::5",
}
"""A Docker host whose own address is another one than its callers know."""
LETSENCRYPT: Final = {**DOMAIN, "turn": "embedded"}
WITHOUT_TLS: Final = [{"tls": "proxy"}, {"tls": "self-signed"}]


def problems(**values: str) -> dict[str, str]:
    """Each problem by its key: why it is one, or what is allowed."""
    with pytest.raises(SettingsError) as error:
        load(**values)
    assert SECRET not in str(error.value)
    return {one.key: one.reason or one.allowed for one in error.value.problems}


def specs(**values: str) -> dict[str, ContainerSpec]:
    return {spec.role: spec for spec in services.specs(load(**values))}


def options(**values: str) -> dict[str, list[str]]:
    """The configuration file's options with their values."""
    found: dict[str, list[str]] = {}
    for line in coturn_file(load(**values), SECRET).splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def server(**values: str) -> Turn:
    """The TURN server that these values come to."""
    turn = load(**values).turn
    assert turn is not None
    return turn


# What must be set


def test_a_server_elsewhere_needs_its_host_and_its_secret() -> None:
    found = problems(turn="external")
    assert set(found) == {"turnHost", "turnSecret"}
    assert all(reason == "required because turn is external" for reason in found.values())
    assert server(**TURN_EXTERNAL).host == "turn.example.org"


@pytest.mark.parametrize("values", [EMBEDDED, {}], ids=["embedded", "none"])
def test_a_host_is_refused_where_no_server_elsewhere_is_meant(values: dict[str, str]) -> None:
    assert "only with turn external" in problems(**values, turnHost="turn.example.org")["turnHost"]


@pytest.mark.parametrize("addresses", ["", "2001:db8::a", "fd00::5"])
def test_the_embedded_server_needs_an_ipv4_address_that_clients_can_be_told(addresses: str) -> None:
    values = {"dockerHostAddress": addresses} if addresses else {}
    assert "an IPv4 address because turn is embedded" in problems(turn="embedded", **values)["dockerHostAddress"]


def test_the_embedded_server_needs_an_address_to_listen_at_and_a_host_that_fits_into_a_url() -> None:
    found = problems(**EMBEDDED, jvbBindAddress="2001:db8::5", publicUrl="https://[2001:db8::5]")
    assert set(found) == {"turn", "jvbBindAddress"}
    assert server(**EMBEDDED, jvbBindAddress="::").kind == "embedded", "all of IPv6, and coturn is not published"


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"turnPort": "8443"}, "turnPort"),
        ({"turnPort": "10000"}, "turnPort"),
        ({"turnsPort": "3478"}, "turnsPort"),
        ({"turnsPort": "8000"}, "turnsPort"),
        ({"turnRelayPorts": "10000-10100"}, "turnRelayPorts"),
        ({"turnRelayPorts": "3400-3500"}, "turnRelayPorts"),
        ({"jvbPort": "49200"}, "jvbPort"),
        ({"turnPort": "5349"}, "turnPort"),
    ],
)
def test_no_port_of_the_embedded_server_is_anothers(values: dict[str, str], key: str) -> None:
    (found,) = problems(**EMBEDDED, **values).items()
    assert found[0] == key
    assert "that no other service of the stack has" in found[1]
    assert load(**{**TURN_EXTERNAL, **values}), "ports of another machine"


@pytest.mark.parametrize(
    "values",
    [
        {"turnsPort": "49160"},
        {"httpsPort": "49209"},
        {"httpPort": "49170"},
        {"jvbPort": "49159"},
        {"turnPort": "49210"},
        {"turnPort": "8443", "httpsPort": "3478", "turn": ""},
    ],
)
def test_a_tcp_port_among_the_relays_ports_which_are_udp_and_a_port_beside_them_are_accepted(
    values: dict[str, str],
) -> None:
    assert load(**{**EMBEDDED, **values})


def test_the_port_for_tls_is_free_where_turn_speaks_none() -> None:
    assert load(**EMBEDDED, tls="self-signed", turnsPort="8443")


# What is warned of


@pytest.mark.parametrize("values", WITHOUT_TLS, ids=["proxy", "self-signed"])
def test_without_a_certificate_of_ours_turn_has_no_tls_and_that_is_said(values: dict[str, str]) -> None:
    settings = load(**{**EMBEDDED, **values})
    assert server(**{**EMBEDDED, **values}).tls_port is None
    (warning,) = [one for one in rules.warnings(settings) if "TURN" in one]
    assert f"tls is {settings.tls.mode}" in warning
    assert "tls own or letsencrypt" in warning


@pytest.mark.parametrize("values", [EMBEDDED, LETSENCRYPT, {**LETSENCRYPT, **TLS_OWN}, TURN_EXTERNAL])
def test_with_tls_there_is_nothing_to_warn_of(values: dict[str, str]) -> None:
    assert server(**values).tls_port is not None
    assert not [one for one in rules.warnings(load(**values)) if "turn" in one.lower()]


def test_a_secret_for_no_server_is_warned_of_and_goes_nowhere() -> None:
    assert "turnSecret has no effect while turn is unset" in rules.warnings(load(turnSecret=SECRET))
    assert "TURN_CREDENTIALS" not in specs(turnSecret=SECRET)["prosody"].environment


# What coturn is told


def test_the_configuration_of_coturn_is_the_reviewed_one(golden: Callable[[str, str], None]) -> None:
    golden("coturn.conf", coturn_file(load(**EMBEDDED), "the-shared-secret"))
    golden("coturn_nat.conf", coturn_file(load(**NATTED, tls="proxy"), "the-shared-secret"))


def test_the_secret_is_in_the_file_alone_and_the_spec_only_names_it() -> None:
    spec = specs(**EMBEDDED, turnSecret=SECRET)["coturn"]
    assert options(**EMBEDDED)["static-auth-secret"] == [SECRET]
    assert SECRET not in repr(spec)
    config, *certificate = [one.content for one in spec.files]
    assert isinstance(config, SecretText)
    assert config.made_from == ("turn_secret",)
    assert config.render(SECRET) == coturn_file(load(**EMBEDDED), SECRET)
    assert certificate == [SecretRef("tls_certificate"), SecretRef("tls_private_key")]


def test_with_letsencrypt_coturn_reads_the_certificate_that_web_keeps_and_changes_nothing_there() -> None:
    """As web's user, since the key is for that one alone, and once web has it."""
    ours, webs = specs(**LETSENCRYPT)["coturn"], specs(**LETSENCRYPT)["web"]
    (shared,), (kept,) = ours.volumes, webs.volumes
    assert (shared.name, shared.path, shared.read_only, kept.read_only) == (kept.name, kept.path, True, False)
    assert (ours.user, ours.starts_after) == ("1000:1000", ("web",))
    folder = "/storage/acme-certs/video.example.org"
    assert (options(**LETSENCRYPT)["cert"], options(**LETSENCRYPT)["pkey"]) == (
        [f"{folder}/fullchain.pem"],
        [f"{folder}/key.pem"],
    )
    assert not [one.path for one in ours.files if one.path.endswith((".crt", ".key"))]
    assert ours.command == ("sh", coturn.START)
    assert [one.content for one in ours.files if one.path == coturn.START] == [coturn.RENEWING]


def test_nobody_is_asked_for_the_address_which_the_images_own_command_would_do() -> None:
    spec = specs(**EMBEDDED)["coturn"]
    assert spec.command == ("-c", coturn.CONFIG)
    assert "external-ip" not in " ".join(spec.command)


def test_coturn_shares_the_docker_hosts_network_and_no_other() -> None:
    spec = specs(**EMBEDDED)["coturn"]
    assert spec.host_network
    assert (spec.networks, spec.aliases, spec.ports) == ((), (), ())
    others = [one for role, one in specs(**EMBEDDED).items() if role != topology.COTURN]
    assert not [one.role for one in others if one.host_network]


@pytest.mark.parametrize(
    ("ports", "gains"),
    [({}, False), ({"turnPort": "443"}, True), ({"turnsPort": "443"}, True), ({"turnPort": "1024"}, False)],
)
def test_coturn_gains_its_capability_for_low_ports_alone(ports: dict[str, str], gains: bool) -> None:
    """It must be within reach always: the kernel starts no program whose file has one that is not."""
    spec = specs(**EMBEDDED, **ports)["coturn"]
    assert spec.capabilities == ("CAP_NET_BIND_SERVICE",)
    assert spec.gains_capabilities is gains


def test_a_renewed_certificate_is_read_again_within_half_a_day() -> None:
    """web renews it weeks before its end; whoever looks every five days may meet the old one after that."""
    (pause,) = [int(word) for word in coturn.RENEWING.replace(";", " ").split() if word.isdigit()]
    assert pause <= 12 * 3600


@pytest.mark.parametrize(
    ("addresses", "bound", "relay", "external"),
    [
        ("192.168.1.5", "0.0.0.0", "192.168.1.5", None),
        ("203.0.113.10", "203.0.113.10", "203.0.113.10", None),
        ("10.1.2.3,203.0.113.10", "0.0.0.0", "203.0.113.10", None),
        ("203.0.113.10", "10.0.0.5", "10.0.0.5", ["203.0.113.10/10.0.0.5"]),
        ("10.0.0.5,203.0.113.10#10001", "2001:db8::5,10.0.0.5", "10.0.0.5", ["203.0.113.10/10.0.0.5"]),
        ("203.0.113.10", "10.0.0.5,10.0.0.6", "10.0.0.5", ["203.0.113.10/10.0.0.5"]),
        ("203.0.113.10,203.0.113.11", "0.0.0.0", "203.0.113.10", None),
    ],
)
def test_relays_sit_at_the_hosts_own_address_and_clients_are_told_the_public_one(
    addresses: str, bound: str, relay: str, external: list[str] | None
) -> None:
    """coturn takes one external address only. Of several that suit, the first one is meant."""
    found = options(turn="embedded", dockerHostAddress=addresses, jvbBindAddress=bound)
    assert found["relay-ip"] == [relay]
    assert found.get("external-ip") == external
    assert relay in found["allowed-peer-ip"], "where the bridge is, as the relay sees it"


def test_coturn_listens_where_the_bridge_does() -> None:
    assert "listening-ip" not in options(**EMBEDDED), "every address"
    assert options(**NATTED)["listening-ip"] == ["10.0.0.5", "2001:db8::5"]


def denied(address: str) -> bool:
    """As coturn compares: another family is never within a range."""
    ip = ipaddress.ip_address(address)
    found = False
    for peers in coturn.DENIED_PEERS:
        low, high = map(ipaddress.ip_address, peers.split("-"))
        assert low.version == high.version
        if low.version == ip.version:
            found |= int(low) <= int(ip) <= int(high)
    return found


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.8", "192.88.99.1", "192.168.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"),
        *("::1", "::10.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1"),
        *("2001::1", "2001:1ff::1", "2002:a00:1::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1"),
    ],
)
def test_what_is_not_the_public_internet_is_no_peer(address: str) -> None:
    assert denied(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "192.0.1.1", "223.255.255.1", "2a00::1", "2606:4700::1"])
def test_the_public_internet_is(address: str) -> None:
    assert not denied(address)


def test_no_range_begins_at_the_address_of_all_zeroes_of_ipv6() -> None:
    """coturn takes that for "any", of IPv4 too: nobody would be relayed anywhere."""
    assert not [peers for peers in coturn.DENIED_PEERS if peers.startswith("::-")]


def test_only_the_hosts_own_addresses_are_excepted() -> None:
    assert options(**EMBEDDED)["allowed-peer-ip"] == ["192.168.1.5"]
    assert options(**NATTED)["allowed-peer-ip"] == ["10.0.0.5", "203.0.113.10"]


# What others are told


@pytest.mark.parametrize(
    ("values", "urls"),
    [
        (
            EMBEDDED,
            [
                "turn:onlineberatung.local:3478?transport=udp",
                "turn:onlineberatung.local:3478?transport=tcp",
                "turns:onlineberatung.local:5349?transport=tcp",
            ],
        ),
        (
            {"tls": "self-signed", **EMBEDDED, "publicUrl": "https://video.example.org", "turnPort": "3000"},
            ["turn:video.example.org:3000?transport=udp", "turn:video.example.org:3000?transport=tcp"],
        ),
        (
            {**TURN_EXTERNAL, "turnsPort": "443"},
            [
                "turn:turn.example.org:3478?transport=udp",
                "turn:turn.example.org:3478?transport=tcp",
                "turns:turn.example.org:443?transport=tcp",
            ],
        ),
    ],
    ids=["embedded", "without TLS", "external"],
)
def test_prosody_hands_out_the_same_urls_that_verify_tries(values: dict[str, str], urls: list[str]) -> None:
    assert server(**values).urls == urls
    environment = specs(**values)["prosody"].environment
    assert environment["TURN_CREDENTIALS"] == SecretRef("turn_secret")
    named = [f"turn:{environment['TURN_HOST']}:{environment['TURN_PORT']}?transport={one}" for one in ("udp", "tcp")]
    assert environment["TURN_TRANSPORT"] == "udp,tcp"
    if "TURNS_HOST" in environment:
        named.append(f"turns:{environment['TURNS_HOST']}:{environment['TURNS_PORT']}?transport=tcp")
    assert named == urls


def test_without_turn_prosody_is_told_of_none_and_no_container_is_made() -> None:
    assert not [name for name in specs()["prosody"].environment if name.startswith("TURN")]
    assert "coturn" not in specs()
    assert "coturn" not in specs(**TURN_EXTERNAL)


def test_the_firewall_lets_callers_to_the_embedded_server_and_to_its_relays() -> None:
    def opened(**values: str) -> set[tuple[str, str, str]]:
        found = firewall.open_ports(held_ports(load(**values)))
        assert {one.published for one in found if "coturn" in one.why} <= {False}
        return {(one.protocol, one.ports, str(one.address)) for one in found if "coturn" in one.why}

    assert opened(**EMBEDDED) == {
        ("tcp", "3478", "0.0.0.0"),
        ("udp", "3478", "0.0.0.0"),
        ("tcp", "5349", "0.0.0.0"),
        ("udp", "49160-49209", "192.168.1.5"),
    }
    assert ("udp", "49160-49209", "10.0.0.5") in opened(**NATTED)
    assert not [one for one in opened(**EMBEDDED, tls="proxy") if one[1] == "5349"]
    assert not opened(**TURN_EXTERNAL)


def test_the_lines_for_a_forward_chain_leave_out_what_docker_does_not_forward() -> None:
    ports: Any = firewall.open_ports(held_ports(load(**EMBEDDED)))
    assert "3478" in "".join(firewall.input_rules(ports))
    assert "3478" not in "".join(firewall.forward_rules(ports))
