"""RabbitMQ's management API knows every user name and password that is taken, as HTTP basic authentication carries it."""

from __future__ import annotations

import base64
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.consumers import alphabet
from tests.prosody.servers import RabbitMQ


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    if shutil.which("rabbitmq-server") is None:
        pytest.skip("no rabbitmq-server on PATH (Debian: rabbitmq-server)")
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def known(broker: RabbitMQ, name: str, password: str) -> bool:
    """Whether the broker lets this user in by the header that Prosody sends (RFC 7617, in UTF-8), under this very name."""
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{broker.port}/api/whoami", headers={"Authorization": f"Basic {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(json.loads(answer.read())["name"] == name)
    except urllib.error.HTTPError:
        return False


def create(broker: RabbitMQ, name: str, password: str) -> None:
    broker._api("PUT", f"users/{quote(name, safe='')}", {"password": password, "tags": "management"})


def test_every_user_and_password_that_the_checks_take_logs_in(broker: RabbitMQ) -> None:
    names, passwords = alphabet.rabbit_usernames(), alphabet.rabbit_passwords()
    assert min(len(names), len(passwords)) >= 190
    refused = []
    for name, password in zip(names, passwords, strict=False):
        create(broker, name, password)
        if not known(broker, name, password):
            refused.append((name, password))
    assert refused == []


def test_a_colon_in_the_name_which_the_check_refuses_lets_nobody_in(broker: RabbitMQ) -> None:
    create(broker, "with:colon", "a-password")
    assert not known(broker, "with:colon", "a-password")
    assert not known(broker, "publisher", "not-the-password")
