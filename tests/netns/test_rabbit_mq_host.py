"""The rules for the RabbitMQ host, loaded by nft: who reaches the management API, natively and published by Docker."""

from __future__ import annotations

from typing import Final

import pytest

from components.stack import firewall
from tests.netns.network import ADDRESS, CONTAINER, FAMILIES, FRIEND, HOST, HOST_ADDRESS, IPV4, IPV6, STRANGER, Network
from tests.values import STATISTICS, load

pytestmark = pytest.mark.netns

PORT: Final = 15672
INSIDE: Final = 5000
"""The container's own port, another one than the published, so that rules on the translated port would miss it."""
SSH: Final = 22
AMQP: Final = 5672
URL: Final = f"http://mq.example.org:{PORT}/api/exchanges/%2F/statistics.topic/publish"
BOTH: Final = f"{ADDRESS[FRIEND, IPV4]},{ADDRESS[FRIEND, IPV6]}"
SERVERS: Final = ((HOST, "tcp", PORT), (HOST, "tcp", SSH), (HOST, "tcp", AMQP), (CONTAINER, "tcp", INSIDE))


def script(addresses: str = BOTH, **values: str) -> str:
    settings = load(**{**STATISTICS, "rabbitUrl": URL, "dockerHostAddress": addresses, **values})
    text = firewall.rabbit_mq_rules(settings)
    assert text is not None
    return text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("broker", [HOST, CONTAINER], ids=["native", "published"])
def test_the_video_backend_reaches_the_broker_and_a_stranger_does_not(
    network: Network, broker: str, family: int
) -> None:
    if broker == CONTAINER:
        network.publish("tcp", PORT, INSIDE)
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT, family=family) == broker, "open before the rules are loaded"
        network.load(script())
        assert network.reach(FRIEND, PORT, family=family) == broker
        assert network.reach(STRANGER, PORT, family=family) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_an_input_rule_does_not_keep_a_stranger_from_a_published_port(network: Network, family: int) -> None:
    """Why the script hooks before DNAT: the obvious rule is without effect."""
    network.publish("tcp", PORT, INSIDE)
    network.load(f"table inet naive {{ chain i {{ type filter hook input priority 0; tcp dport {PORT} drop\n}}\n}}\n")
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT, family=family) == CONTAINER


@pytest.mark.parametrize("family", FAMILIES)
def test_the_broker_host_reaches_its_broker_through_loopback_and_its_own_address(network: Network, family: int) -> None:
    network.load(script())
    with network.serving(*SERVERS):
        assert network.reach(HOST, PORT, family=family, to="127.0.0.1" if family == IPV4 else "::1") == HOST
        assert network.reach(HOST, PORT, family=family, to=HOST_ADDRESS[HOST, family]) == HOST


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_without_an_address_is_closed(network: Network, family: int) -> None:
    network.load(script(ADDRESS[FRIEND, family]))
    with network.serving(*SERVERS):
        assert network.reach(FRIEND, PORT, family=family) == HOST
        assert network.reach(FRIEND, PORT, family=IPV6 if family == IPV4 else IPV4) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_other_ports_of_the_host_stay_as_they_were(network: Network, family: int) -> None:
    network.load(script())
    with network.serving(*SERVERS):
        for client in (FRIEND, STRANGER):
            assert network.reach(client, SSH, family=family) == HOST
            assert network.reach(client, AMQP, family=family) == HOST


def test_what_is_routed_through_the_host_to_another_broker_is_left_alone(network: Network) -> None:
    network.load(script())
    with network.serving((CONTAINER, "tcp", PORT)):
        assert network.reach(STRANGER, PORT, to=ADDRESS[CONTAINER, IPV4]) == CONTAINER


def test_loading_twice_gives_the_same_rules_as_loading_once(network: Network) -> None:
    network.load(script())
    once = network.ruleset()
    network.load(script())
    assert network.ruleset() == once


def test_a_changed_address_takes_the_place_of_the_old_one(network: Network) -> None:
    network.load(script(ADDRESS[STRANGER, IPV4]))
    network.load(script(ADDRESS[FRIEND, IPV4]))
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT) is None
        assert network.reach(FRIEND, PORT) == HOST


def test_an_address_added_after_loading_is_let_in(network: Network) -> None:
    """The command that the script's comment gives."""
    text = script()
    (command,) = [line.removeprefix("#").strip() for line in text.splitlines() if "nft add element" in line]
    network.load(text)
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT) is None
        network.run(HOST, "sh", "-c", command.replace("10.0.0.5", ADDRESS[STRANGER, IPV4]))
        assert network.reach(STRANGER, PORT) == HOST


def test_removing_the_table_by_the_scripts_own_command_opens_the_port_again(network: Network) -> None:
    text = script()
    (command,) = [line.removeprefix("# Remove:").strip() for line in text.splitlines() if "# Remove:" in line]
    network.load(text)
    network.run(HOST, *command.split())
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT) == HOST
    assert network.ruleset() == ""


@pytest.mark.parametrize(
    ("addresses", "url", "missing"),
    [
        ("", URL, "dockerHostAddress_is_not_set"),
        ("10.91.1.1", URL.replace("mq.example.org", "10.91.1.1"), "subnets_of_prosody"),
    ],
    ids=["no address", "same machine"],
)
def test_without_known_addresses_nft_refuses_the_script_names_what_is_missing_and_changes_nothing(
    network: Network, addresses: str, url: str, missing: str
) -> None:
    network.load(script())
    before = network.ruleset()
    text = script(addresses, rabbitUrl=url)
    refused = network.attempt(HOST, "nft", "-f", "-", stdin=text)
    assert refused.returncode != 0
    assert missing in refused.stderr
    assert network.ruleset() == before
    network.load(text.replace(f"${missing}", "10.91.2.0/24, 10.91.9.9"))
    with network.serving(*SERVERS):
        assert network.reach(STRANGER, PORT) == HOST, "filled in by hand, it lets those addresses in"
        assert network.reach(FRIEND, PORT) is None
