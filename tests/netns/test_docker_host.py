"""The rules for the Docker host, loaded by nft: what they open, count and guard, and what they leave alone."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import pytest

from components.config.ports import held_ports
from components.config.settings import Settings
from components.stack import firewall
from tests.netns.network import CONTAINER, FAMILIES, FRIEND, HOST, IPV4, IPV6, STRANGER, Network
from tests.values import load

pytestmark = pytest.mark.netns

TABLE: Final = "videobackend-dev"
HTTP, HTTPS, MEDIA, SSH = 8000, 8443, 10000, 22
INSIDE: Final = 5000
STACK_PORTS: Final = (("tcp", HTTP), ("tcp", HTTPS), ("udp", MEDIA))
DROPPING: Final = """
table inet mine {{
  chain input {{ type filter hook input priority filter; policy drop
    tcp dport 22 accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
{input}
  }}
  chain forward {{ type filter hook forward priority filter; policy drop
{forward}
  }}
}}
"""
"""A base policy of an operator's own."""


def host_script(settings: Settings) -> str:
    return firewall.video_backend_rules(settings.stack, held_ports(settings))


def script(**values: str) -> str:
    return host_script(load(**values))


def lines_for_own_rules(text: str, hook: str) -> str:
    """The lines that the script's comments offer for a chain at `hook`."""
    section = re.search(rf"# hook {hook}[^\n]*\n((?:#   [^\n]*\n)+)", text)
    assert section is not None, text
    return section[1].replace("#", " ")


def publish_all(network: Network) -> None:
    for protocol, port in STACK_PORTS:
        network.publish(protocol, port, INSIDE)


def bind(family: int) -> dict[str, str]:
    every = "0.0.0.0" if family == IPV4 else "::"
    return {"bindAddress": every, "jvbBindAddress": every}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("server", [HOST, CONTAINER], ids=["native", "published"])
def test_the_offered_lines_open_exactly_the_stacks_ports_in_a_policy_that_drops(
    network: Network, server: str, family: int
) -> None:
    text = script(**bind(family))
    if server == CONTAINER:
        publish_all(network)
        network.publish("tcp", 9999, INSIDE)
    inside = (("tcp", INSIDE), ("udp", INSIDE)) if server == CONTAINER else (*STACK_PORTS, ("tcp", 9999))
    with network.serving((HOST, "tcp", SSH), *((server, *one) for one in inside)):
        network.load(text)
        network.load(DROPPING.format(input="", forward=""))
        for protocol, port in STACK_PORTS:
            assert network.reach(STRANGER, port, protocol=protocol, family=family) is None, "the policy drops"
        hooks = {hook: lines_for_own_rules(text, hook) for hook in ("input", "forward")}
        network.load("delete table inet mine\n" + DROPPING.format(**hooks))
        for protocol, port in STACK_PORTS:
            assert network.reach(STRANGER, port, protocol=protocol, family=family) == server, (protocol, port)
        assert network.reach(STRANGER, 9999, family=family) is None, "a port that is not the stack's"
        other = IPV6 if family == IPV4 else IPV4
        assert network.reach(STRANGER, HTTPS, family=other) is None, "the family it is not published in"
        assert network.reach(STRANGER, SSH, family=family) == HOST


def test_the_offered_lines_open_the_bound_address_only(network: Network) -> None:
    text = script(bindAddress="10.91.1.1")
    hooks = {hook: lines_for_own_rules(text, hook) for hook in ("input", "forward")}
    network.load(text)
    network.load(DROPPING.format(**hooks))
    network.publish("tcp", HTTPS, INSIDE)
    with network.serving((CONTAINER, "tcp", INSIDE), (HOST, "tcp", HTTP)):
        assert network.reach(STRANGER, HTTPS, to="10.91.1.1") == CONTAINER
        assert network.reach(STRANGER, HTTPS, to="10.91.2.1") is None
        assert network.reach(STRANGER, HTTP, to="10.91.1.1") == HOST
        assert network.reach(STRANGER, HTTP, to="10.91.2.1") is None


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_that_was_reachable_stays_so(network: Network, family: int) -> None:
    network.publish("tcp", HTTPS, INSIDE)
    network.publish("tcp", 9999, INSIDE)
    network.load(script())
    with network.serving((HOST, "tcp", SSH), (HOST, "tcp", HTTP), (CONTAINER, "tcp", INSIDE)):
        for port, server in ((SSH, HOST), (HTTP, HOST), (HTTPS, CONTAINER), (9999, CONTAINER)):
            assert network.reach(STRANGER, port, family=family) == server


def test_arriving_connections_are_counted_per_port_and_packets_of_media_too(network: Network) -> None:
    publish_all(network)
    network.load(script())
    with network.serving((CONTAINER, "tcp", INSIDE), (CONTAINER, "udp", INSIDE)):
        for protocol, port, times in (("tcp", HTTP, 1), ("tcp", HTTPS, 2), ("udp", MEDIA, 3)):
            for _ in range(times):
                assert network.reach(STRANGER, port, protocol=protocol) == CONTAINER
    counted = re.findall(r"packets (\d+) bytes \d+ comment", network.run(HOST, "nft", "list", "table", "inet", TABLE))
    assert counted == ["1", "2", "3"]


def test_a_neighbour_does_not_reach_a_port_published_at_loopback(neighbourhood: Network) -> None:
    """DNAT takes a packet for 127.0.0.1 off the wire before the kernel would refuse it."""
    network = neighbourhood
    network.publish("tcp", HTTPS, INSIDE, address="127.0.0.1")
    with network.serving((CONTAINER, "tcp", INSIDE), (HOST, "tcp", HTTPS)):
        assert network.reach(FRIEND, HTTPS, to="127.0.0.1") == CONTAINER, "the hole, without the rules"
        network.load(script(bindAddress="127.0.0.1"))
        assert network.reach(FRIEND, HTTPS, to="127.0.0.1") is None
        assert network.reach(HOST, HTTPS, to="127.0.0.1") == HOST, "a proxy on the host"
        assert network.reach(FRIEND, HTTPS) == HOST, "another service at another address of the host"


def test_loading_twice_gives_the_same_rules_as_loading_once(network: Network) -> None:
    for values in ({}, {"bindAddress": "127.0.0.1"}, {"bindAddress": "::1", "jvbBindAddress": "2001:db8::5"}):
        network.clear()
        network.load(script(**values))
        once = network.ruleset()
        network.load(script(**values))
        assert network.ruleset() == once


def test_stacks_beside_each_other_have_tables_of_their_own_whatever_pulumi_lets_them_be_called(
    network: Network,
) -> None:
    names = ["dev", "prod", "0.1", "-a_b.c-", "accept"]
    for name in names:
        network.load(host_script(replace(load(), stack=name)))
    tables = network.run(HOST, "nft", "list", "tables").splitlines()
    assert tables == [f"table inet videobackend-{name}" for name in names]
    network.run(HOST, "nft", "delete", "table", "inet", TABLE)
    assert len(network.run(HOST, "nft", "list", "tables").splitlines()) == len(names) - 1


def test_the_offered_lines_open_turns_ports_and_its_relays_at_the_address_that_they_sit_at(network: Network) -> None:
    text = script(turn="embedded", dockerHostAddress="10.91.1.1", turnRelayPorts="49152-49160")
    open_ports = (("tcp", 3478), ("udp", 3478), ("tcp", 5349), ("udp", 49152), ("udp", 49160))
    shut = (("tcp", 49152), ("udp", 49161), ("udp", 5349))
    network.load(text)
    network.load(DROPPING.format(**{hook: lines_for_own_rules(text, hook) for hook in ("input", "forward")}))
    with network.serving(*((HOST, *one) for one in (*open_ports, *shut))):
        for protocol, port in open_ports:
            assert network.reach(FRIEND, port, protocol=protocol, to="10.91.1.1") == HOST, (protocol, port)
        for protocol, port in shut:
            assert network.reach(FRIEND, port, protocol=protocol, to="10.91.1.1") is None, (protocol, port)
        assert network.reach(STRANGER, 3478, to="10.91.2.1") == HOST, "coturn listens at every address"
        assert network.reach(STRANGER, 49152, protocol="udp", to="10.91.2.1") is None, "and relays at one"
