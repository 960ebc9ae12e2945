"""The embedded broker: who reaches it, what its user may do, and what the operator need not set."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from components.config import rules
from components.config.problems import SettingsError
from components.stack import services, topology
from components.stack.services import rabbitmq
from tests.values import STATISTICS, load

EMBEDDED = {"rabbitMq": "embedded", "enableStatistics": "true"}


def test_the_broker_publishes_no_port_and_shares_a_network_with_prosody_alone() -> None:
    specs = {spec.role: spec for spec in services.specs(load(**EMBEDDED))}
    assert specs["rabbitmq"].ports == ()
    assert specs["rabbitmq"].networks == (topology.STATISTICS_NETWORK,)
    assert [role for role, spec in specs.items() if topology.STATISTICS_NETWORK in spec.networks] == [
        "prosody",
        "rabbitmq",
    ]


def test_without_it_there_is_neither_broker_nor_network() -> None:
    specs = services.specs(load(**STATISTICS))
    assert "rabbitmq" not in {spec.role for spec in specs}
    assert {network for spec in specs for network in spec.networks} == {topology.NETWORK}


def test_its_user_can_publish_to_the_exchange_and_do_nothing_else() -> None:
    definitions = json.loads(rabbitmq.definitions("a-password"))
    (user,) = definitions["users"]
    (permission,) = definitions["permissions"]
    assert user["tags"] == ["management"]
    assert (permission["configure"], permission["read"]) == ("^$", "^$")
    assert re.search(permission["write"], "statistics.topic")
    assert not re.search(permission["write"], "statisticsXtopic")
    assert not re.search(permission["write"], "statistics.topic2")
    (topic,) = definitions["topic_permissions"]
    assert (topic["exchange"], topic["write"], topic["read"]) == ("statistics.topic", "^STOP_VIDEO_CALL$", "^$")
    assert "a-password" not in rabbitmq.definitions("a-password")


def test_its_queue_keeps_events_through_a_restart_of_the_broker() -> None:
    (queue,) = json.loads(rabbitmq.definitions("a-password"))["queues"]
    assert queue["durable"]
    assert queue["arguments"] == {"x-queue-type": "quorum"}, "events are transient messages"


def test_the_password_hash_is_rabbitmqs_and_stays_the_same() -> None:
    first, second = rabbitmq.password_hash("a-password"), rabbitmq.password_hash("a-password")
    assert first == second != rabbitmq.password_hash("another")
    raw = base64.b64decode(first)
    assert raw[4:] == hashlib.sha256(raw[:4] + b"a-password").digest()


def test_a_value_for_another_broker_beside_it_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        load(rabbitMq="embedded", **STATISTICS)
    assert {problem.key for problem in refused.value.problems} == {"rabbitUrl", "rabbitUsername", "rabbitPassword"}


def test_it_needs_no_rabbit_value_and_warns_where_it_is_of_no_use() -> None:
    assert not any("rabbitMq" in warning for warning in rules.warnings(load(**EMBEDDED)))
    assert any("gets no events" in warning for warning in rules.warnings(load(rabbitMq="embedded")))
