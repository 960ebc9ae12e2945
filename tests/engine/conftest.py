"""Fixtures of the engine tier: tools or a reason to skip, stand-in images, and stacks that are always destroyed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import standin, toolbox
from tests.engine.docker_host import Events
from tests.engine.standin import Variant
from tests.engine.toolbox import Missing, Toolbox
from tests.engine.workspace import Workspace

_RUN = secrets.token_hex(3)
GOOD = f"videobackend-standin-{_RUN}"
BROKEN = f"videobackend-standin-{_RUN}-broken"
RABBIT_PASSWORD = 'rabbit "\\ own-2f9c1b7d40e5'
VIDEO_SERVICE_PASSWORD = 'video "\\ own-5b8e0c62a917'
TURN_SECRET = "own-turn-77d0c9a1e2b34f56"
JWT_SECRET = "own-jwt-6c1fe0b87a2d4935b1f0c8e7d6a5493827160fed"

WorkspaceMaker = Callable[..., Workspace]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Toolbox:
    """What the tier needs; skips with what is missing."""
    cache = request.config.cache
    kept = cache.mkdir("engine") if cache else tmp_path_factory.mktemp("cache")
    try:
        return toolbox.find(tmp_path_factory.mktemp("pulumi-home"), kept)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def images(tools: Toolbox) -> Iterator[None]:
    """Stand-in images: all good, and one registry whose prosody never becomes healthy."""
    with standin.images(tools.busybox, [Variant(GOOD), Variant(BROKEN, broken=("prosody",))]):
        yield


@pytest.fixture(scope="module")
def make_workspace(tools: Toolbox, images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceMaker]:
    """Makes stacks that are destroyed after the module."""
    made: list[Workspace] = []

    def make(registry: str = GOOD, **config: Any) -> Workspace:
        workspace = Workspace(tmp_path_factory.mktemp("stack"), tools, registry=registry, config=config)
        made.append(workspace)
        return workspace

    yield make
    for workspace in made:
        workspace.clean_up()


@pytest.fixture(scope="module")
def workspace(make_workspace: WorkspaceMaker) -> Workspace:
    """A stack with an address; statistics, VideoService, STUN and TURN elsewhere; and both own and generated secrets."""
    made = make_workspace(
        dockerHostAddress="10.99.0.10",
        enableStatistics=True,
        rabbitUrl="https://mq.beratung.zz:15671/api/exchanges/%2F/statistics.topic/publish",
        rabbitUsername="statistics",
        videoServiceUrl="https://app.beratung.zz/service",
        keycloakUrl="https://keycloak.beratung.zz/auth",
        keycloakClientId="app",
        videoServiceUsername="jitsi-technical",
        stunServers="stun.beratung.zz:3478",
        turn="external",
        turnHost="turn.beratung.zz",
    )
    made.keep_secret(
        {
            "rabbitPassword": RABBIT_PASSWORD,
            "videoServicePassword": VIDEO_SERVICE_PASSWORD,
            "jwtAppSecret": JWT_SECRET,
            "turnSecret": TURN_SECRET,
        }
    )
    return made


@pytest.fixture(scope="module")
def events(workspace: Workspace) -> Iterator[Events]:
    """The lives of the stack's containers, recorded from before the first `up`."""
    record = Events(workspace.stack)
    yield record
    record.close()


@pytest.fixture(scope="module")
def running(workspace: Workspace, events: Events) -> Workspace:
    """The stack, up from nothing."""
    workspace.up()
    return workspace
