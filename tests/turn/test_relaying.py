"""Where a real coturn with the program's configuration relays to, and where never: in network namespaces.

    client (friend) ── Docker host, which has coturn ── peers (stranger)

The peers really are there: what the TURN server refuses, the host itself reaches.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from components.config.settings import Settings
from tests.netns import network as hosts
from tests.netns.network import FRIEND, HOST, IPV4, IPV6, STRANGER, Network
from tests.turn import server
from tests.turn.client import IPV6_RELAY, PATIENCE, Client, Refused, credentials
from tests.turn.server import SECRET, Coturn
from tests.values import load

pytestmark = pytest.mark.servers

OWN: Final = "203.0.113.1"
"""The Docker host's address on the internet of these namespaces."""
PUBLIC, PUBLIC_IPV6 = "203.0.113.20", "2001:db8:20::20"
OWN_IPV6: Final = "2001:db8:20::1"
LAN: Final = hosts.HOST_ADDRESS[STRANGER, IPV4]
"""The Docker host's address in a private network."""

PRIVATE: Final = ("10.91.2.2", "192.168.7.7", "172.16.7.7", "169.254.7.7", "100.64.7.7")
"""Addresses of the stranger in networks of its own."""
PRIVATE_IPV6: Final = ("fd91:2::2", "fd00::7", "64:ff9b::a5b:202", "2002:a5b:202::7")
NEVER: Final = ("127.0.0.1", "127.0.0.53", "0.0.0.0", "224.0.0.1", "255.255.255.255")
NEVER_IPV6: Final = ("::1", "::", "::ffff:10.91.2.2", "::ffff:127.0.0.1", "::10.91.2.2", "ff02::1", "fe80::1")
PORT: Final = 5004


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The namespaces, with public and private addresses at the stranger and routes to them at the host."""
    reason = server.missing() or hosts.missing()
    if reason is not None:
        pytest.skip(reason)
    with Network() as made:
        made.run(HOST, "ip", "address", "add", f"{OWN}/24", "dev", "to2")
        made.run(STRANGER, "ip", "address", "add", f"{PUBLIC}/24", "dev", "eth0")
        made.run(HOST, "ip", "address", "add", f"{OWN_IPV6}/64", "dev", "to2", "nodad")
        made.run(STRANGER, "ip", "address", "add", f"{PUBLIC_IPV6}/64", "dev", "eth0", "nodad")
        for address in PRIVATE[1:]:
            made.run(STRANGER, "ip", "address", "add", f"{address}/32", "dev", "eth0")
            made.run(HOST, "ip", "route", "add", f"{address}/32", "via", PRIVATE[0])
        for address in PRIVATE_IPV6[1:]:
            made.run(STRANGER, "ip", "address", "add", f"{address}/128", "dev", "eth0", "nodad")
            made.run(HOST, "ip", "route", "add", f"{address}/128", "via", PRIVATE_IPV6[0])
        yield made


@contextlib.contextmanager
def running(network: Network, directory: Path, settings: Settings, *more: str) -> Iterator[Coturn]:
    def start(*command: str) -> object:
        return network.start(HOST, *command)

    def listens() -> bool:
        with network.socket(HOST, IPV4, "udp") as probe:
            turn = settings.turn
            assert turn is not None
            assert turn.relay is not None
            return server.answers(probe, str(turn.relay.address), turn.port)

    coturn = Coturn(directory, settings, start=start, more=more)  # type: ignore[arg-type]
    try:
        coturn.wait(listens)
        yield coturn
    finally:
        coturn.stop()


@pytest.fixture(scope="module")
def public(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Docker host with a public address. IPv6 relays are added, which no stack has: else no IPv6 peer would be asked for."""
    settings = load(turn="embedded", tls="self-signed", dockerHostAddress=OWN)
    with running(network, tmp_path_factory.mktemp("public"), settings, f"relay-ip={OWN_IPV6}"):
        yield


@contextlib.contextmanager
def caller(network: Network, *, ipv6_relay: bool = False, at: tuple[str, int] = (OWN, 3478)) -> Iterator[Client]:
    """A client with a relay."""
    with network.socket(FRIEND, IPV4, "udp") as connected:
        connected.connect(at)
        client = Client(connected, *credentials(SECRET))
        client.allocate(IPV6_RELAY if ipv6_relay else None)
        yield client


@contextlib.contextmanager
def peer(network: Network, address: str, *, name: str = STRANGER) -> Iterator[socket.socket]:
    """A UDP socket at one of the stranger's addresses."""
    with network.socket(name, IPV6 if ":" in address else IPV4, "udp") as bound:
        bound.settimeout(PATIENCE)
        bound.bind((address, PORT))
        yield bound


def code_of(client: Client, address: str) -> int:
    """The error code for a permission; 0 where it is given."""
    try:
        client.permit(address, PORT)
    except Refused as refused:
        return refused.code
    return 0


def arrives(bound: socket.socket) -> bytes | None:
    try:
        return bound.recvfrom(2048)[0]
    except TimeoutError:
        return None


@pytest.mark.parametrize(("address", "ipv6"), [(PUBLIC, False), (PUBLIC_IPV6, True)])
def test_bytes_reach_a_public_peer_and_its_answer_comes_back(
    network: Network, public: None, address: str, ipv6: bool
) -> None:
    with caller(network, ipv6_relay=ipv6) as client, peer(network, address) as bound:
        client.permit(address, PORT)
        client.send(address, PORT, b"sound")
        payload, relay = bound.recvfrom(2048)
        assert payload == b"sound"
        assert relay[0] == (OWN_IPV6 if ipv6 else OWN), "the peer sees the relay, not the caller"
        bound.sendto(b"picture", relay)
        assert client.receive() == (f"{address}#{PORT}", b"picture")


def test_a_peer_that_nobody_asked_for_does_not_get_through(network: Network, public: None) -> None:
    with network.socket(FRIEND, IPV4, "udp") as connected, peer(network, PUBLIC) as bound:
        connected.connect((OWN, 3478))
        client = Client(connected, *credentials(SECRET))
        host, _, port = client.allocate().partition("#")
        bound.sendto(b"unasked", (host, int(port)))
        assert client.receive() is None
        client.permit(PUBLIC)
        bound.sendto(b"asked", (host, int(port)))
        assert client.receive() == (f"{PUBLIC}#{PORT}", b"asked")


@pytest.mark.parametrize("address", [*PRIVATE, *PRIVATE_IPV6])
def test_a_private_peer_is_refused_though_the_host_reaches_it(network: Network, public: None, address: str) -> None:
    ipv6 = ":" in address
    with caller(network, ipv6_relay=ipv6) as client, peer(network, address) as bound:
        with network.socket(HOST, IPV6 if ipv6 else IPV4, "udp") as straight:
            straight.sendto(b"from the host", (address, PORT))
            assert arrives(bound) == b"from the host", "or the rest would prove nothing"
        assert code_of(client, address) == 403
        client.send(address, PORT, b"through the relay")
        assert arrives(bound) is None


@pytest.mark.parametrize("address", [*NEVER, *NEVER_IPV6])
def test_loopback_multicast_and_disguises_of_private_addresses_are_refused(
    network: Network, public: None, address: str
) -> None:
    with caller(network, ipv6_relay=":" in address) as client:
        assert code_of(client, address) == 403


def test_a_permission_for_one_peer_is_none_for_another(network: Network, public: None) -> None:
    with caller(network) as client, peer(network, PRIVATE[1]) as bound:
        client.permit(PUBLIC, PORT)
        client.send(PRIVATE[1], PORT, b"slipped in")
        assert arrives(bound) is None


def test_two_callers_reach_each_other_through_their_relays(network: Network, public: None) -> None:
    """Peer-to-peer calls between two people whose networks block UDP."""
    with network.socket(FRIEND, IPV4, "udp") as first, network.socket(FRIEND, IPV4, "udp") as second:
        clients, relays = [], []
        for connected in (first, second):
            connected.connect((OWN, 3478))
            clients.append(Client(connected, *credentials(SECRET)))
            host, _, port = clients[-1].allocate().partition("#")
            relays.append((host, int(port)))
        for client, other in zip(clients, reversed(relays), strict=True):
            client.permit(*other)
        clients[0].send(*relays[1], b"hello")
        assert clients[1].receive() == (f"{relays[0][0]}#{relays[0][1]}", b"hello")


# The bridge, which is at the Docker host's own address

ANOTHER_PORT: Final = 3600
"""coturn shares its port, and the one above, with any other coturn that asks for it."""


def another(**values: str) -> Settings:
    """Settings of a second server beside `public`."""
    return load(turn="embedded", tls="self-signed", turnPort=str(ANOTHER_PORT), turnRelayPorts="50000-50020", **values)


@pytest.mark.parametrize(
    ("values", "told", "own"),
    [
        ({"dockerHostAddress": OWN}, OWN, OWN),
        ({"dockerHostAddress": LAN}, LAN, LAN),
        ({"dockerHostAddress": "198.51.100.9", "jvbBindAddress": LAN}, "198.51.100.9", LAN),
    ],
    ids=["public", "private", "behind NAT"],
)
def test_the_bridge_is_reached_at_the_address_that_it_tells_callers(
    network: Network, tmp_path: Path, values: dict[str, str], told: str, own: str
) -> None:
    with running(network, tmp_path, another(**values)), network.socket(FRIEND, IPV4, "udp") as connected:
        connected.connect((own, ANOTHER_PORT))
        client = Client(connected, *credentials(SECRET))
        assert client.allocate().partition("#")[0] == told
        with peer(network, own, name=HOST) as bridge:
            client.permit(told, PORT)
            client.send(told, PORT, b"to the bridge")
            payload, relay = bridge.recvfrom(2048)
            assert payload == b"to the bridge"
            bridge.sendto(b"from the bridge", relay)
            assert client.receive() == (f"{told}#{PORT}", b"from the bridge")


def test_a_private_bridge_opens_exactly_its_own_address(network: Network, tmp_path: Path) -> None:
    with (
        running(network, tmp_path, another(dockerHostAddress=LAN)),
        caller(network, at=(LAN, ANOTHER_PORT)) as client,
    ):
        assert code_of(client, LAN) == 0
        neighbours = (PRIVATE[0], "10.91.2.3", "10.91.2.0", hosts.HOST_ADDRESS[FRIEND, IPV4], "10.91.3.1")
        assert {address: code_of(client, address) for address in neighbours} == dict.fromkeys(neighbours, 403)


def test_a_stack_relays_ipv4_only(network: Network, tmp_path: Path) -> None:
    with (
        running(network, tmp_path, another(dockerHostAddress=OWN)),
        network.socket(FRIEND, IPV4, "udp") as connected,
    ):
        connected.connect((OWN, ANOTHER_PORT))
        with pytest.raises(Refused, match="440"):
            Client(connected, *credentials(SECRET)).allocate(IPV6_RELAY)
