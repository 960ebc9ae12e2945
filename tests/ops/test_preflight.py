from __future__ import annotations

import dataclasses
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from components.config.problems import shell
from components.config.settings import Settings
from ops import preflight
from ops.errors import OpsError
from ops.preflight import images
from ops.preflight.images import registry_of
from tests.ops.played import play
from tests.values import load

Docker = Callable[[str], None]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A `docker` that runs the given Python lines; `words` are its arguments after the host."""

    def install(lines: str) -> None:
        path = tmp_path / "docker"
        path.write_text(f"#!{sys.executable}\nimport sys\nwords = sys.argv[3:]\n{lines}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    play(monkeypatch, tmp_path)
    return install


def _free_ports(count: int, kind: int = socket.SOCK_STREAM) -> list[int]:
    probes = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
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


def _refused(check: Callable[[], object]) -> str:
    with pytest.raises(OpsError) as caught:
        check()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_docker_that_answers_is_fine(docker: Docker) -> None:
    docker("print('28.0')")
    assert preflight.check_docker(load()) is True


def test_docker_is_asked_at_the_stacks_own_host(docker: Docker, tmp_path: Path) -> None:
    docker(f"open({str(tmp_path / 'asked')!r}, 'w').write(' '.join(sys.argv[1:3]))")
    preflight.check_docker(load())
    assert (tmp_path / "asked").read_text() == "--host unix:///var/run/docker.sock"


def test_a_daemon_that_is_down_is_told_from_a_user_who_may_not(docker: Docker) -> None:
    docker("sys.exit('Cannot connect to the Docker daemon at unix:///d. Is the docker daemon running?')")
    assert "systemctl start docker" in _refused(lambda: preflight.check_docker(load()))
    docker("sys.exit('permission denied while trying to connect to the Docker daemon socket')")
    assert "usermod -aG docker" in _refused(lambda: preflight.check_docker(load()))


def _at(host: str) -> Settings:
    return dataclasses.replace(load(), docker_url=host)


def test_a_docker_host_that_is_stored_encrypted_cannot_be_asked_from_here(docker: Docker) -> None:
    docker("sys.exit('there is no such host')")
    encrypted = dataclasses.replace(_at("ssh://[secret]"), docker_secrets=frozenset({"host"}))
    assert preflight.check_docker(encrypted) is False


def test_a_remote_host_that_is_down_is_named(docker: Docker) -> None:
    docker("sys.exit('ssh: connect to host box port 22: No route to host')")
    message = _refused(lambda: preflight.check_docker(_at("ssh://me@box")))
    assert "ssh://me@box does not answer: ssh: connect to host box port 22: No route to host" in message


def test_docker_that_is_not_installed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Docker is not installed" in _refused(lambda: preflight.check_docker(_at(f"unix://{tmp_path}/none")))


def test_a_socket_without_the_client_is_enough_for_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "socket").touch()
    assert preflight.check_docker(_at(f"unix://{tmp_path}/socket")) is False


@pytest.mark.parametrize(("taken", "expected"), [("https", "httpsPort"), ("media", "jvbPort")], indirect=["taken"])
@pytest.mark.usefixtures("taken")
def test_an_occupied_port_is_named_with_its_key_and_how_to_find_who_has_it(
    docker: Docker, on_loopback: Settings, expected: str
) -> None:
    docker("")
    message = _refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
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
        message = _refused(lambda: preflight.check_ports(settings, "dev", shell))
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
    message = _refused(lambda: preflight.check_ports(settings, "dev", shell))
    assert "set httpPort" not in message
    assert re.search(r"set httpsPort (84[4-9]\d|8[5-9]\d\d) && set publicUrl https://video\.mysite\.org:\d+$", message)


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
    message = _refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
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
        assert f"port {port} ({key}) is taken by another program" in _refused(
            lambda: preflight.check_ports(with_turn, "dev", shell)
        )
        docker("if 'label=videobackend.role=coturn' in words: print('4f5e6d7c8b9a')")
        preflight.check_ports(with_turn, "dev", shell)


def test_the_ports_of_a_remote_host_are_not_this_machines(docker: Docker) -> None:
    docker("sys.exit('not to be asked')")
    preflight.check_ports(_at("ssh://me@box"), "dev", shell)


def test_an_address_of_another_machine_cannot_be_bound(docker: Docker) -> None:
    docker("")
    elsewhere = load(bindAddress="203.0.113.77")
    message = _refused(lambda: preflight.check_ports(elsewhere, "dev", shell))
    assert "203.0.113.77 is no address of this machine" in message


def _no_names(*_: object, **__: object) -> Sequence[object]:
    raise socket.gaierror(-2, "Name or service not known")


def test_a_registry_that_cannot_be_resolved_is_named_with_the_images_that_are_wanted_of_it(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker("sys.exit(words[0] == 'image')")

    def resolve(host: str, *_: object) -> Sequence[object]:
        return [] if host == "registry-1.docker.io" else _no_names()

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(images, "lan_address", lambda: "192.0.2.44")
    settings = load(imageRegistry="ghcr.example.net:5000/jitsi", turn="embedded", dockerHostAddress="192.0.2.10")

    def check() -> None:
        preflight.check_images(settings, shell)

    message = _refused(check)
    assert message.startswith(
        "ghcr.example.net:5000 cannot be resolved; name a mirror of it (set imageRegistry HOST/PATH)"
    )
    assert "docker load here): ghcr.example.net:5000/jitsi/jicofo:" in message
    assert "coturn/coturn:" not in message, "that registry is found"
    assert "no network" not in message
    monkeypatch.setattr(images, "lan_address", lambda: None)
    assert "this machine has no network" in _refused(check)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("", id="all images are there"),
        pytest.param("print('http://proxy:3128') if words[0] == 'info' else sys.exit(1)", id="the daemon has a proxy"),
    ],
)
def test_no_network_is_fine_where_none_is_needed(docker: Docker, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    docker(lines)
    monkeypatch.setattr(socket, "getaddrinfo", _no_names)
    preflight.check_images(load(), shell)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("ghcr.io/jitsi/web:stable-1", "ghcr.io"),
        ("localhost/web:1", "localhost"),
        ("box:5000/web:1", "box:5000"),
        ("jitsi/web:stable-1", "registry-1.docker.io"),
        ("rabbitmq:4", "registry-1.docker.io"),
    ],
)
def test_the_registry_of_an_image_is_its_first_part_or_docker_hub(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def test_images_of_another_docker_host_are_not_looked_up_on_this_machine(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker("sys.exit('not to be asked')")
    monkeypatch.setattr(socket, "getaddrinfo", _no_names)
    preflight.check_images(_at("ssh://me@box"), shell)
    preflight.check_images(dataclasses.replace(load(), docker={"context": "box"}), shell)


@pytest.mark.parametrize(
    ("host", "options", "here"),
    [
        ("unix:///var/run/docker.sock", {}, True),
        ("unix:///run/user/1000/docker.sock", {}, True),
        ("unix:///var/run/docker.sock", {"context": "box"}, False),
        ("ssh://me@box", {}, False),
        ("tcp://127.0.0.1:2375", {}, False),
    ],
)
def test_this_machine_is_the_docker_host_where_a_socket_leads_there_and_no_context(
    host: str, options: dict[str, str], here: bool
) -> None:
    assert preflight.is_local(dataclasses.replace(_at(host), docker=options)) is here


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
        assert "taken by the container shop" in _refused(lambda: preflight.check_ports(on_loopback, "dev", shell))
    else:
        preflight.check_ports(on_loopback, "dev", shell)


@pytest.mark.parametrize(
    ("told", "found"), [("10.1.2.3", "10.1.2.3"), ("127.0.0.1", None), ("0.0.0.0", None), ("127.0.1.1", None)]
)
def test_the_address_in_the_network_is_that_of_the_default_route(
    monkeypatch: pytest.MonkeyPatch, told: str, found: str | None
) -> None:
    class Routed(socket.socket):
        def connect(self, _address: object) -> None:
            """As where there is a route."""

        def getsockname(self) -> tuple[str, int]:
            return told, 40000

    monkeypatch.setattr(socket, "socket", Routed)
    assert preflight.lan_address() == found


def test_docker_commands_may_go_elsewhere_than_to_the_default_host(docker: Docker) -> None:
    docker("print('ssh://me@box')")
    assert preflight.current_docker_host() == "ssh://me@box"
    docker("sys.exit(1)")
    assert preflight.current_docker_host() == "unix:///var/run/docker.sock"


def test_without_a_network_there_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(socket.socket):
        def connect(self, _address: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unreachable)
    assert preflight.lan_address() is None


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"publicUrl": "https://video.example.org", "tls": "proxy"}, ["publicUrl"]),
        ({"publicUrl": "https://example.com", "tls": "proxy"}, ["publicUrl"]),
        ({"publicUrl": "https://video.notexample.org", "tls": "proxy"}, []),
        ({"publicUrl": "https://203.0.113.10"}, ["publicUrl"]),
        ({"dockerHostAddress": "10.0.0.1,198.51.100.7#10001"}, ["dockerHostAddress"]),
        ({"dockerHostAddress": "2001:db8::5"}, ["dockerHostAddress"]),
        ({"dockerHostAddress": "9.9.9.9"}, []),
        ({"stunServers": "stun.example.net:3478,stun.real.org:3478"}, ["stunServers"]),
        ({"letsencryptEmail": "admin@example.org"}, ["letsencryptEmail"]),
        ({"imageRegistry": "registry.example.org:5000/jitsi"}, ["imageRegistry"]),
        ({"docker:host": "ssh://deploy@video.example.org"}, ["docker:host"]),
        ({"docker:host": "unix:///var/run/docker.sock"}, []),
        ({}, []),
    ],
)
def test_examples_of_the_documentation_are_known_wherever_they_lead_somewhere(
    values: dict[str, str], keys: list[str]
) -> None:
    stored = {key if ":" in key else f"videobackend:{key}": value for key, value in values.items()}
    assert [one.key for one in preflight.examples(stored, "videobackend")] == keys


@pytest.mark.parametrize(
    ("text", "encrypted"),
    [
        ("v1:q83vEjRWeJCrze8=:6e2f0a41c9d7b583", True),
        ("AAABAHk3Q2ZCq8iX0hFQ1c2V0LXN0YWNr", True),
        ("REPLACE-ME", False),
        ("", False),
        ("v1:abc", False),
    ],
)
def test_a_placeholder_is_no_encrypted_value(text: str, encrypted: bool) -> None:
    found = preflight.placeholders({"videobackend:jwtAppSecret": {"secure": text}, "docker:host": "x"}, "videobackend")
    assert [one.key for one in found] == ([] if encrypted else ["jwtAppSecret"])
