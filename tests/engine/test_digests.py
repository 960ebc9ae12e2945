"""Images by digest on a real engine, from a real registry: what runs, that it stays, and that a moved tag moves nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from ops import pin, registry
from tests.engine import docker_host, standin
from tests.engine.conftest import WorkspaceMaker
from tests.engine.standin import Variant
from tests.engine.toolbox import DOCKER, Toolbox
from tests.engine.workspace import Workspace, replaced
from tests.registry import server

pytestmark = server.needed
ROLES: Final = ("web", "prosody", "jicofo", "jvb")


def docker(*arguments: str) -> None:
    subprocess.run([*DOCKER, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def mirror(tools: Toolbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Variant]:
    """The stand-ins in a registry, and on the Docker host as well."""
    with server.running(tmp_path_factory.mktemp("registry")) as host:
        variant = Variant(f"{host}/jitsi")
        with standin.images(tools.busybox, [variant]):
            for role in ROLES:
                docker("push", variant.everything[role].image)
            yield variant


@pytest.fixture(scope="module")
def stack(make_workspace: WorkspaceMaker, mirror: Variant) -> Workspace:
    """A stack that was brought up by tags alone."""
    made = make_workspace(mirror.registry, dockerHostAddress="192.168.7.10")
    made.up()
    return made


def images(mirror: Variant) -> dict[str, str]:
    return {role: mirror.everything[role].image for role in ROLES}


def running(stack: Workspace) -> dict[str, str]:
    """The reference by which each container was made, by role."""
    found = docker_host.containers(stack.stack)
    return {role: found[role]["Config"]["Image"] for role in ROLES}


def test_a_digest_replaces_the_containers_of_its_image_once_and_no_other(stack: Workspace, mirror: Variant) -> None:
    wanted = images(mirror)
    assert running(stack) == wanted
    pinned = {wanted[role]: registry.digest_of(wanted[role], {}) for role in ("web", "jvb")}
    pin.write(stack.project / "components/stack/images.toml", pinned)
    assert replaced(stack.steps()) == {"web", "jvb"}
    stack.up()
    assert running(stack) == {
        role: f"{image}@{pinned[image]}" if image in pinned else image for role, image in wanted.items()
    }
    stack.refresh()
    again = stack.preview("--expect-no-changes")
    assert again.code == 0, again.text


def test_a_tag_that_moved_in_the_registry_moves_no_container_with_a_digest(stack: Workspace, mirror: Variant) -> None:
    image = images(mirror)["web"]
    before = docker_host.containers(stack.stack)["web"]["Image"]
    docker("tag", images(mirror)["prosody"], image)
    docker("push", image)
    again = stack.preview("--expect-no-changes", "--refresh")
    assert again.code == 0, again.text
    stack.up("--replace", next(one["urn"] for one in stack.export()["deployment"]["resources"] if _is_web(one)))
    assert docker_host.containers(stack.stack)["web"]["Image"] == before


def _is_web(resource: dict[str, str]) -> bool:
    return resource["urn"].endswith("docker:index/container:Container::videobackend-web")
