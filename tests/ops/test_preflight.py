"""The checks before an `up`: Docker, images, addresses and examples."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from components.config.examples import examples, warning
from components.config.problems import shell
from ops import preflight
from ops.preflight import images
from ops.preflight.images import registry_of
from tests.ops.docker_command import Docker, at_host, refused
from tests.values import load


def test_docker_that_answers_is_fine(docker: Docker) -> None:
    docker("print('28.0')")
    assert preflight.check_docker(load()) is True


def test_docker_is_asked_at_the_stacks_own_host(docker: Docker, tmp_path: Path) -> None:
    docker(f"open({str(tmp_path / 'asked')!r}, 'w').write(' '.join(sys.argv[1:3]))")
    preflight.check_docker(load())
    assert (tmp_path / "asked").read_text() == "--host unix:///var/run/docker.sock"


def test_a_daemon_that_is_down_is_told_from_a_user_who_may_not(docker: Docker) -> None:
    docker("sys.exit('Cannot connect to the Docker daemon at unix:///d. Is the docker daemon running?')")
    assert "systemctl start docker" in refused(lambda: preflight.check_docker(load()))
    docker("sys.exit('permission denied while trying to connect to the Docker daemon socket')")
    assert "usermod -aG docker" in refused(lambda: preflight.check_docker(load()))


def test_a_docker_host_that_is_stored_encrypted_cannot_be_asked_from_here(docker: Docker) -> None:
    docker("sys.exit('there is no such host')")
    encrypted = dataclasses.replace(at_host("ssh://[secret]"), docker_secrets=frozenset({"host"}))
    assert preflight.check_docker(encrypted) is False


def test_a_remote_host_that_is_down_is_named(docker: Docker) -> None:
    docker("sys.exit('ssh: connect to host box port 22: No route to host')")
    message = refused(lambda: preflight.check_docker(at_host("ssh://me@box")))
    assert "ssh://me@box does not answer: ssh: connect to host box port 22: No route to host" in message


def test_docker_that_is_not_installed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Docker is not installed" in refused(lambda: preflight.check_docker(at_host(f"unix://{tmp_path}/none")))


def test_a_socket_without_the_client_is_enough_for_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "socket").touch()
    assert preflight.check_docker(at_host(f"unix://{tmp_path}/socket")) is False


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

    message = refused(check)
    assert message.startswith(
        "ghcr.example.net:5000 cannot be resolved; name a mirror of it (set imageRegistry HOST/PATH)"
    )
    assert "docker load here): ghcr.example.net:5000/jitsi/jicofo:" in message
    assert "coturn/coturn:" not in message, "that registry is found"
    assert "no network" not in message
    monkeypatch.setattr(images, "lan_address", lambda: None)
    assert "this machine has no network" in refused(check)


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
    preflight.check_images(at_host("ssh://me@box"), shell)
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
    assert preflight.is_local(dataclasses.replace(at_host(host), docker=options)) is here


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
        ({"dnsZoneId": "0123456789abcdef0123456789abcdef"}, ["dnsZoneId"]),
        ({"dnsZoneId": "0123456789abcdef0123456789abcdee"}, []),
        ({"docker:host": "ssh://deploy@video.example.org"}, ["docker:host"]),
        ({"docker:host": "unix:///var/run/docker.sock"}, []),
        ({}, []),
    ],
)
def test_examples_of_the_documentation_are_known_wherever_they_lead_somewhere(
    values: dict[str, str], keys: list[str]
) -> None:
    stored = {key if ":" in key else f"videobackend:{key}": value for key, value in values.items()}
    assert [one.key for one in examples(stored, "videobackend")] == keys


def test_an_example_that_is_stored_encrypted_is_told_and_not_repeated() -> None:
    """The engine hands the program its value."""
    (found,) = examples({"docker:host": "ssh://deploy@video.example.org"}, "videobackend", {"docker:host"})
    assert (found.key, found.given) == ("docker:host", None)
    assert warning(found) == "docker:host is an example of the documentation: up refuses it"


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
