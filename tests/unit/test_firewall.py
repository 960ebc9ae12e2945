"""The nftables scripts as text; tests/netns loads them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from components.config.ports import held_ports
from components.config.settings import Settings
from components.stack import firewall, services
from tests.values import DOMAIN, OWN_SECRETS, STATISTICS, load

URL: Final = "http://mq.example.org:15672/api/exchanges/%2F/statistics.topic/publish"


def broker_script(**values: str) -> str:
    text = firewall.rabbit_mq_rules(load(**{**DOMAIN, **STATISTICS, **values}))
    assert text is not None
    return text


def all_scripts(settings: Settings) -> dict[str, str]:
    return firewall.rules(settings, held_ports(settings))


def host_script(settings: Settings) -> str:
    return firewall.video_backend_rules(settings.stack, held_ports(settings))


def effective(text: str) -> list[str]:
    """The script without comments and blank lines."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("local", {}),
        ("domain", {**DOMAIN, **STATISTICS}),
        ("loopback", {"bindAddress": "127.0.0.1", "jvbBindAddress": "192.0.2.6"}),
        ("turn", {"turn": "embedded", "dockerHostAddress": "203.0.113.10", "jvbBindAddress": "10.0.0.5,2001:db8::5"}),
    ],
)
def test_the_docker_hosts_script_is_as_reviewed(
    golden: Callable[[str, str], None], name: str, values: dict[str, str]
) -> None:
    golden(f"firewall_video_backend_{name}.nft", host_script(load(**values)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("domain", {}),
        ("no_address", {"dockerHostAddress": ""}),
        ("same_machine", {"rabbitUrl": URL.replace("mq.example.org", "10.1.2.3")}),
        ("default_port", {"rabbitUrl": URL.replace("http:", "https:").replace(":15672", "")}),
    ],
)
def test_the_broker_hosts_script_is_as_reviewed(
    golden: Callable[[str, str], None], name: str, values: dict[str, str]
) -> None:
    golden(f"firewall_rabbit_mq_{name}.nft", broker_script(**values))


@pytest.mark.parametrize(
    ("values", "roles"),
    [
        ({}, {"videoBackend"}),
        ({**DOMAIN, **STATISTICS}, {"videoBackend", "rabbitMq"}),
        ({**STATISTICS, "enableStatistics": "false"}, {"videoBackend"}),
        ({"enableStatistics": "true", "rabbitMq": "embedded"}, {"videoBackend"}),
    ],
    ids=["no statistics", "external broker", "broker not used", "embedded broker"],
)
def test_only_a_broker_outside_the_stack_that_is_used_gets_a_script(values: dict[str, str], roles: set[str]) -> None:
    scripts = all_scripts(load(**values))
    assert scripts.keys() == roles
    assert all(scripts.values())


@pytest.mark.parametrize(
    "values", [{}, {"bindAddress": "192.0.2.5", "jvbBindAddress": "::", "jvbPort": "10001"}, DOMAIN]
)
def test_open_ports_are_the_ports_that_the_containers_publish(values: dict[str, str]) -> None:
    settings = load(**values)
    published = {
        (port.protocol, str(port.external), port.ip) for spec in services.specs(settings) for port in spec.ports
    }
    assert {
        (one.protocol, one.ports, str(one.address)) for one in firewall.open_ports(held_ports(settings))
    } == published
    assert all(one.published for one in firewall.open_ports(held_ports(settings)))


def test_a_port_at_loopback_is_offered_to_nobody_and_guarded() -> None:
    text = host_script(load(bindAddress="127.0.0.1"))
    assert "accept" not in "".join(line for line in text.splitlines() if "8443" in line)
    (rule,) = [line for line in effective(text) if "8443" in line]
    assert rule.startswith('iif != "lo" ip daddr 127.0.0.0/8 tcp dport 8443')
    assert " drop " in rule


def test_a_port_at_ipv6_loopback_is_left_to_the_kernel_which_refuses_it_before_any_hook() -> None:
    text = host_script(load(bindAddress="::1"))
    assert not [line for line in effective(text) if "8443" in line]
    assert "tcp 8443 at ::1" in text


def test_the_docker_hosts_script_drops_nothing_but_what_a_wire_carries_for_loopback() -> None:
    for values in ({}, DOMAIN, {"bindAddress": "192.0.2.5", "jvbBindAddress": "2001:db8::5"}):
        assert "drop" not in "\n".join(effective(host_script(load(**values))))


def test_no_script_has_a_policy_other_than_accept_or_touches_a_table_of_another() -> None:
    for script in all_scripts(load(**DOMAIN, **STATISTICS)).values():
        lines = effective(script)
        tables = {match[1] for line in lines if (match := re.match(r"(?:add |delete )?table inet (\S+)", line))}
        assert len(tables) == 1
        assert not [line for line in lines if "policy" in line and "policy accept" not in line]
        assert not [line for line in lines if "ruleset" in line]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        (URL, 15672),
        (URL.replace("http://mq.example.org:15672", "https://mq.example.org:15671"), 15671),
        (URL.replace(":15672", ""), 80),
        (URL.replace("http://mq.example.org:15672", "https://mq.example.org"), 443),
        (URL.replace("http://mq.example.org:15672", "https://192.0.2.7:8443"), 8443),
    ],
)
def test_the_brokers_port_is_the_one_of_the_url(url: str, port: int) -> None:
    text = broker_script(rabbitUrl=url)
    matches = [line for line in effective(text) if "dport" in line]
    assert matches == [f"tcp dport {port} fib daddr type local goto broker"]
    assert ("often a proxy's" in text) == (port in (80, 443))


def test_the_brokers_clients_are_the_configured_addresses_once_each_by_family() -> None:
    text = broker_script(dockerHostAddress="10.1.2.3#10001,10.1.2.3#10002,2001:0DB8::00A,::ffff:10.9.9.9")
    elements = [line for line in effective(text) if line.startswith("elements")]
    assert elements == ["elements = { 10.1.2.3, 10.9.9.9 }", "elements = { 2001:db8::a }"]


def test_another_host_of_the_same_name_family_is_not_taken_for_the_docker_host() -> None:
    """Only an equal address says that broker and video backend share a machine."""
    text = broker_script(dockerHostAddress="10.1.2.3", rabbitUrl=URL.replace("mq.example.org", "10.1.2.30"))
    assert "$" not in text


def test_scripts_of_two_stacks_and_of_the_two_roles_never_share_a_table() -> None:
    settings = [
        replace(load(**DOMAIN, **STATISTICS), stack=stack) for stack in ("dev", "prod", "rabbitmq-dev", "rabbitmq")
    ]
    scripts = [script for one in settings for script in all_scripts(one).values()]
    tables = [match[1] for script in scripts if (match := re.search(r"^add table inet (\S+)$", script, re.MULTILINE))]
    assert len(tables) == len(set(tables)) == len(scripts)


def test_no_secret_is_in_a_script() -> None:
    values = {key: OWN_SECRETS[key] for key in ("jwtAppSecret", "jvbAuthPassword")}
    text = "".join(all_scripts(load(**DOMAIN, **STATISTICS, **values)).values())
    assert not [secret for secret in OWN_SECRETS.values() if secret in text]
    assert STATISTICS["rabbitUsername"] + "@" not in text


def test_a_range_and_an_address_of_either_family_become_one_match() -> None:
    relay = firewall.OpenPort(
        protocol="udp", ports="49152-65535", address=ipaddress.ip_address("2001:db8::5"), why="relay"
    )
    assert firewall.input_rules([relay]) == ["ip6 daddr 2001:db8::5 udp dport 49152-65535 accept"]
    assert firewall.forward_rules([relay]) == [
        "ct status dnat ct original ip6 daddr 2001:db8::5 meta l4proto udp ct original proto-dst 49152-65535 accept"
    ]
