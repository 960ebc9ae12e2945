"""The ports before an `up`: who holds them, and which others would do."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import socket
from collections.abc import Iterator

import pytest

from components.config.problems import shell
from components.config.settings import Settings
from ops import preflight
from tests.ops.docker_command import Docker, at_host, refused
from tests.values import load


def _free_ports(count: int, kind: int = socket.SOCK_STREAM) -> list[int]:
    """Free ports of the loopback address, none of them one that coturn relays through."""
    first, last = load().turn_relay_ports
    with contextlib.ExitStack() as probes:
        ports: list[int] = []
        while len(ports) < count:
            probe = probes.enter_context(socket.socket(socket.AF_INET, kind))
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if not first <= port <= last:
                ports.append(port)
        return ports


@pytest.fixture
def on_loopback() -> Settings:
    """Settings whose published ports are free ones of the loopback address."""
    http, https = _free_ports(2)
    (media,) = _free_ports(1, socket.SOCK_DGRAM)
    return load(
        httpPort=str(http),
        httpsPort=str(https),
        jvbPort=str(media),
        bindAddress="127.0.0.1",
        jvbBindAddress="127.0.0.1",
    )


@pytest.fixture
def taken(on_loopback: Settings, request: pytest.FixtureRequest) -> Iterator[None]:
    """One of those ports held by a socket of this process."""
    kind, port = {
        "https": (socket.SOCK_STREAM, on_loopback.https_port),
        "media": (socket.SOCK_DGRAM, on_loopback.jvb_port),
    }[request.param]
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        yield


@pytest.mark.parametrize(("taken", "expected"), [("https", "httpsPort"), ("media", "jvbPort")], indirect=["taken"])
@pytest.mark.usefixtures("taken")
def test_an_occupied_port_is_named_with_its_key_and_how_to_find_who_has_it(
    docker: Docker, on_loopback: Settings, expected: str
) -> None:
    docker("")
    message = refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
    assert f"({expected}) is taken by another program" in message
    assert "ss --listening" in message


def test_all_ports_that_are_taken_are_named_at_once_with_the_commands_that_choose_free_ones(
    docker: Docker, on_loopback: Settings
) -> None:
    https, media = on_loopback.https_port, on_loopback.jvb_port
    url = dataclasses.replace(on_loopback.public_url, port=https)
    settings = dataclasses.replace(on_loopback, public_url=url)
    docker(_running("", "shop", f"127.0.0.1:{https}-{https + 1}->443-444/tcp, 127.0.0.1:{media}->1/udp"))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", on_loopback.http_port))
        message = refused(lambda: preflight.check_ports(settings, "dev", shell))
    for key, port, kind in (
        ("httpPort", on_loopback.http_port, "TCP"),
        ("httpsPort", https, "TCP"),
        ("jvbPort", media, "UDP"),
    ):
        assert f"{kind} port {port} ({key}) is taken by" in message
    found = dict(re.findall(r"set (\w+) (\S+)", message))
    assert set(found) == {"httpPort", "httpsPort", "jvbPort", "publicUrl"}
    assert found["publicUrl"] == f"https://{url.host}:{found['httpsPort']}"
    assert int(found["httpsPort"]) > https + 1, "the next one is the container's, too"


def test_a_stack_whose_certificate_is_fetched_is_not_told_to_leave_port_80(docker: Docker) -> None:
    settings = load(
        publicUrl="https://video.mysite.org", httpPort="80", httpsPort="443", letsencryptEmail="a@video.mysite.org"
    )
    docker(_running("", "shop", "0.0.0.0:80->80/tcp, 0.0.0.0:443->443/tcp"))
    message = refused(lambda: preflight.check_ports(settings, "dev", shell))
    assert "set httpPort" not in message
    assert re.search(r"set httpsPort (84[4-9]\d|8[5-9]\d\d) && set publicUrl https://video\.mysite\.org:\d+$", message)


def test_the_port_that_is_proposed_is_one_that_exists_and_that_browsers_open(docker: Docker) -> None:
    for port, no_port in ((65535, 65536), (5999, 6000)):
        docker(_running("", "shop", f"127.0.0.1:{port}->443/tcp"))
        settings = load(httpsPort=str(port), bindAddress="127.0.0.1", httpPort="3", jvbPort=str(_free_ports(1)[0]))
        message = refused(functools.partial(preflight.check_ports, settings, "dev", shell))
        (found,) = re.findall(r"set httpsPort (\d+)", message)
        assert int(found) not in (port, no_port)
        assert int(found) < 65536


def test_free_ports_are_fine(docker: Docker, on_loopback: Settings) -> None:
    docker("")
    preflight.check_ports(on_loopback, "dev", shell)


def _running(label: str, name: str, ports: str) -> str:
    return f"print({f'{label}{chr(9)}{name}{chr(9)}{ports}'!r})"


@pytest.mark.parametrize("taken", ["https"], indirect=True)
@pytest.mark.usefixtures("taken")
def test_the_stacks_own_container_may_hold_its_port(docker: Docker, on_loopback: Settings) -> None:
    port = on_loopback.https_port
    docker(_running("dev", "videobackend-dev-web", f"127.0.0.1:{port}->8443/tcp, [::1]:{port}->8443/tcp"))
    preflight.check_ports(on_loopback, "dev", shell)


def test_another_container_that_holds_a_port_is_named(docker: Docker, on_loopback: Settings) -> None:
    port = on_loopback.https_port
    docker(_running("", "shop", f"0.0.0.0:{port - 1}-{port + 1}->8000-8002/tcp"))
    message = refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
    assert f"TCP port {port} (httpsPort) is taken by the container shop" in message


@pytest.fixture
def with_turn(on_loopback: Settings) -> Settings:
    """Those settings with a TURN server on free ports of the loopback address."""
    turn, turns = _free_ports(2)
    return load(
        httpPort=str(on_loopback.http_port),
        httpsPort=str(on_loopback.https_port),
        jvbPort=str(on_loopback.jvb_port),
        bindAddress="127.0.0.1",
        jvbBindAddress="127.0.0.1",
        dockerHostAddress="192.0.2.10",
        turn="embedded",
        turnPort=str(turn),
        turnsPort=str(turns),
    )


def test_free_ports_are_fine_for_turn_too(docker: Docker, with_turn: Settings) -> None:
    docker("")
    preflight.check_ports(with_turn, "dev", shell)


@pytest.mark.parametrize(
    ("key", "kind"),
    [("turnPort", socket.SOCK_STREAM), ("turnPort", socket.SOCK_DGRAM), ("turnsPort", socket.SOCK_STREAM)],
)
def test_a_port_of_turn_which_shares_the_hosts_network_is_checked_unless_coturn_runs(
    docker: Docker, with_turn: Settings, key: str, kind: int
) -> None:
    port = {"turnPort": with_turn.turn_port, "turnsPort": with_turn.turns_port}[key]
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        docker("")
        assert f"port {port} ({key}) is taken by another program" in refused(
            lambda: preflight.check_ports(with_turn, "dev", shell)
        )
        docker("if 'label=videobackend.role=coturn' in words: print('4f5e6d7c8b9a')")
        preflight.check_ports(with_turn, "dev", shell)


def test_the_ports_of_a_remote_host_are_not_this_machines(docker: Docker) -> None:
    docker("sys.exit('not to be asked')")
    preflight.check_ports(at_host("ssh://me@box"), "dev", shell)


def test_an_address_of_another_machine_is_refused_even_while_the_stacks_own_containers_hold_the_ports(
    docker: Docker,
) -> None:
    """An `up` would remove them for ones that cannot start."""
    own = "0.0.0.0:8000->8000/tcp, 0.0.0.0:8443->8443/tcp, [::]:8443->8443/tcp, 0.0.0.0:10000->10000/udp"
    for running in ("", _running("dev", "videobackend-dev-all", own)):
        for values, foreign in (
            ({"bindAddress": "203.0.113.77"}, ["203.0.113.77 (bindAddress)"]),
            ({"jvbBindAddress": "203.0.113.77"}, ["203.0.113.77 (jvbBindAddress)"]),
            ({"jvbBindAddress": "127.0.0.1,2001:db8::77"}, ["2001:db8::77 (jvbBindAddress)"]),
            (
                {"bindAddress": "203.0.113.77", "jvbBindAddress": "203.0.113.78"},
                ["203.0.113.77 (bindAddress)", "203.0.113.78 (jvbBindAddress)"],
            ),
        ):
            docker(running)
            message = refused(functools.partial(preflight.check_ports, load(**values), "dev", shell))
            assert message.startswith("; ".join(f"{one} is no address of this machine" for one in foreign))
            assert "ip -brief address" in message


def test_another_container_at_one_address_is_an_obstacle_though_the_stack_holds_the_port_at_another(
    docker: Docker, on_loopback: Settings
) -> None:
    port = on_loopback.https_port
    rows = [f"dev\tvideobackend-dev-web\t127.0.0.1:{port}->8443/tcp", f"\tshop\t127.0.0.2:{port}->80/tcp"]
    docker("\n".join(f"print({row!r})" for row in rows))
    everywhere = load(httpPort="3", httpsPort=str(port), jvbPort=str(on_loopback.jvb_port), jvbBindAddress="127.0.0.1")
    assert "is taken by the container shop" in refused(lambda: preflight.check_ports(everywhere, "dev", shell))


@pytest.mark.parametrize(
    ("published", "obstacle"),
    [
        ("127.0.0.1:{0}->80/tcp", True),
        ("0.0.0.0:{0}->80/tcp", True),
        ("127.0.0.1:{1}-{0}->80-82/tcp", True),
        ("127.0.0.1:{1}-{2}->80-81/tcp", False),
        ("127.0.0.1:{3}-{4}->80-81/tcp", False),
        ("127.0.0.2:{0}->80/tcp", False),
        (":::{0}->80/tcp", False),
        ("[::]:{0}->80/tcp", False),
        ("127.0.0.1:{0}->80/udp", False),
    ],
)
def test_a_container_is_an_obstacle_only_with_the_same_port_at_the_same_address(
    docker: Docker, on_loopback: Settings, published: str, obstacle: bool
) -> None:
    port = on_loopback.https_port
    docker(_running("", "shop", published.format(port, port - 2, port - 1, port + 1, port + 2)))
    if obstacle:
        assert "taken by the container shop" in refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
    else:
        preflight.check_ports(on_loopback, "dev", shell)
