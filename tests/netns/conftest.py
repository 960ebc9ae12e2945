"""The hosts of this tier, made once; each test starts without rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import network as hosts


@pytest.fixture(scope="session")
def _hosts() -> Iterator[hosts.Network]:
    reason = hosts.missing()
    if reason is not None:
        pytest.skip(reason)
    with hosts.Network() as network:
        yield network


@pytest.fixture
def neighbourhood(_hosts: hosts.Network) -> Iterator[hosts.Network]:
    """Hosts of their own, where the friend is a neighbour who sends packets for 127.0.0.1 to the host."""
    with hosts.Network() as network:
        for setting in ("route_localnet", "accept_local"):
            network.run(hosts.FRIEND, "sysctl", "-qw", f"net.ipv4.conf.eth0.{setting}=1")
        for own in ("127.0.0.0/8", "127.0.0.1"):
            network.run(hosts.FRIEND, "ip", "route", "delete", "local", own, "dev", "lo", "table", "local")
        host = hosts.HOST_ADDRESS[hosts.FRIEND, hosts.IPV4]
        source = hosts.ADDRESS[hosts.FRIEND, hosts.IPV4]
        network.run(hosts.FRIEND, "ip", "route", "add", "127.0.0.1", "via", host, "dev", "eth0", "src", source)
        yield network


@pytest.fixture
def network(_hosts: hosts.Network) -> hosts.Network:
    _hosts.clear()
    return _hosts
