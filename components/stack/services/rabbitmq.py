"""rabbitmq: an optional broker of the stack's own, for trying out the statistics.

Owns its container and the definitions that it loads at each start: the exchange, a queue that shows the events, and
one user that can publish to the exchange and do nothing else. No port is published; only prosody shares its network.
"""

from __future__ import annotations

import base64
import hashlib
import json

from components.config.settings import Settings
from components.stack import topology
from components.stack.services.common import Shared, tcp_health
from components.stack.spec import ContainerSpec, FileSpec, SecretText, VolumeSpec


def spec(settings: Settings, shared: Shared) -> ContainerSpec:
    """The broker's container. Its node name, and so its data, depend on the host name, which `DockerHost` fixes."""
    return ContainerSpec(
        **shared,
        # The image's own user. As root its start script would change owners and user, for which it needs capabilities.
        user="999:999",
        environment={"TZ": settings.time_zone},
        # The image's own checks start an Erlang machine each time.
        health=tcp_health(topology.RABBITMQ_MANAGEMENT_PORT),
        networks=(topology.STATISTICS_NETWORK,),
        aliases=(topology.RABBITMQ,),
        files=(
            FileSpec(
                path=topology.RABBITMQ_CONF,
                content=f"# Written by videobackend.\nload_definitions = {topology.RABBITMQ_DEFINITIONS}\n",
            ),
            FileSpec(
                path=topology.RABBITMQ_DEFINITIONS,
                content=SecretText(made_from=("rabbit_password",), render=definitions),
            ),
        ),
        volumes=(VolumeSpec(name="rabbitmq-data", path=topology.RABBITMQ_DATA),),
    )


def definitions(password: str) -> str:
    """RabbitMQ's definitions file; with it the broker makes no `guest` user."""
    user, exchange, queue = topology.STATISTICS_USER, topology.STATISTICS_EXCHANGE, topology.STATISTICS_QUEUE
    only_exchange = f"^{exchange.replace('.', chr(92) + '.')}$"
    content = {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                # The publish API asks for this tag; it opens the API, not the vhost's contents.
                "tags": ["management"],
            }
        ],
        "permissions": [{"user": user, "vhost": "/", "configure": "^$", "write": only_exchange, "read": "^$"}],
        "topic_permissions": [
            {
                "user": user,
                "vhost": "/",
                "exchange": exchange,
                "write": f"^{topology.STATISTICS_ROUTING_KEY}$",
                "read": "^$",
            }
        ],
        "exchanges": [
            {
                "name": exchange,
                "vhost": "/",
                "type": "topic",
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
        ],
        "queues": [
            {
                "name": queue,
                "vhost": "/",
                "durable": True,
                "auto_delete": False,
                # Events carry no properties, so they are transient: a quorum queue keeps them all the same.
                "arguments": {"x-queue-type": "quorum"},
            }
        ],
        "bindings": [
            {
                "source": exchange,
                "vhost": "/",
                "destination": queue,
                "destination_type": "queue",
                "routing_key": topology.STATISTICS_ROUTING_KEY,
                "arguments": {},
            }
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256 (salt of 4 bytes in front). The salt follows from the password, so that the file
    stays the same from one `up` to the next."""
    salt = hashlib.sha256(b"videobackend" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
