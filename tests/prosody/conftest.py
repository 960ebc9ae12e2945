"""Fixtures of the `prosody` tier: one RabbitMQ for all, one Prosody a module and kind, and Prosodys of one's own."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("slixmpp", reason="slixmpp is missing (make test, or pip install -r requirements/dev.txt)")

from tests.prosody.configuration import FOCUS, Broker, Setup
from tests.prosody.servers import Installation, Prosody, RabbitMQ, find_installations, free_port
from tests.prosody.stage import FOCUS_PASSWORD, Consumer, MakeProsody


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine, on an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    if not (shutil.which("epmd") and Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()):
        pytest.skip("no rabbitmq-server (Debian: apt-get install rabbitmq-server)")
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def consumer(rabbitmq: RabbitMQ) -> Consumer:
    """The VideoService's end of the queue."""
    return Consumer(rabbitmq)


@pytest.fixture(scope="module", params=["system", "chroot"])
def installation(request: pytest.FixtureRequest) -> Installation:
    found = find_installations()[request.param]
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="module")
def shared_prosody(installation: Installation, rabbitmq: RabbitMQ) -> Iterator[Prosody]:
    """A running Prosody for tests that need nothing special; each uses rooms of its own."""
    yield from running(installation, rabbitmq.broker, {})


@pytest.fixture
def make_prosody(installation: Installation) -> Iterator[MakeProsody]:
    """Makes and starts Prosodys: make_prosody(broker, **fields of Setup)."""
    running: list[Prosody] = []

    def make(broker: Broker | None = None, environment: dict[str, str] | None = None, **fields: object) -> Prosody:
        server = _new(installation, broker, fields, environment)
        running.append(server)
        server.start()
        return server

    yield make
    for server in running:
        server.remove()


def _new(
    installation: Installation,
    broker: Broker | None,
    fields: dict[str, object],
    environment: dict[str, str] | None = None,
) -> Prosody:
    setup = Setup(c2s_port=free_port(), http_port=free_port(), broker=broker, **fields)  # type: ignore[arg-type]
    server = Prosody(installation, setup, environment)
    server.prepare()
    server.create_account(FOCUS, FOCUS_PASSWORD)
    return server


def running(installation: Installation, broker: Broker | None, fields: dict[str, object]) -> Iterator[Prosody]:
    """Yields a started Prosody; for fixtures."""
    server = _new(installation, broker, fields)
    try:
        server.start()
        yield server
    finally:
        server.remove()
