"""A program that breaks every rule: for the review, which reads it, and for the engine, which runs it under the pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

CONFIG: Final[dict[str, Any]] = {
    "publicUrl": "https://video.example.com",
    "dnsZone": "example.com",
    "dockerHostAddress": "9.9.9.10",
    "imageRegistry": "registry.other.test/jitsi",
    "enableGuests": "true",
    "tls": "self-signed",
    "rabbitMq": "embedded",
    "policyExceptions": "care until 2020-01-01 because the old image has no health check",
}
"""Of a stack that is not dev, without docker:host."""

PATCHES: Final = (
    (
        "components/stack/services/web.py",
        "ports = {topology.WEB_HTTP_PORT: settings.http_port}",
        "ports = {topology.WEB_HTTP_PORT: settings.http_port, 9999: 9999}",
    ),
    ("components/resources/docker_host.py", "read_only=spec.read_only,", "read_only=spec.read_only, privileged=True,"),
    ("components/resources/docker_host.py", "destroy_grace_seconds=spec.stop_grace", "destroy_grace_seconds=1"),
    (
        "components/resources/docker_host.py",
        "name=self.physical(name),\n            labels=[\n                docker.VolumeLabelArgs",
        'name=self.physical(name),\n            driver="local",\n            labels=[\n                docker.VolumeLabelArgs',
    ),
    ("components/stack/topology.py", 'return f"{prefix}-{stack}-{role}"', 'return f"{prefix}-{role}"'),
    (
        "components/stack/services/jvb.py",
        '"JVB_AUTH_PASSWORD": SecretRef("jvb_auth_password")',
        '"JVB_AUTH_PASSWORD": "the-one-of-the-old-host"',
    ),
    (
        "components/stack/services/rabbitmq.py",
        "aliases=(topology.RABBITMQ,),",
        "aliases=(topology.RABBITMQ,),\n        ports=(PortSpec(internal=5672, external=5672, ip='0.0.0.0'),),",
    ),
    ("components/stack/services/rabbitmq.py", "FileSpec, SecretText,", "FileSpec, PortSpec, SecretText,"),
    ("components/resources/dns.py", "proxied=False", "proxied=True"),
)
"""File, what stands there, and what breaks a rule in its place."""

BROKEN: Final = {
    "docker-host": "is unix:///var/run/docker.sock",
    "ports": "publishes 9999/tcp",
    "image-registry": "registry.other.test/jitsi/web",
    "image-digest": "by its tag alone",
    "privileges": "is privileged",
    "care": "gets 1 seconds to stop",
    "kept": "has driver",
    "sign-in": "lets guests in",
    "plain-secret": "has JVB_AUTH_PASSWORD in plain text",
    "tls": "signs its own certificate on a public name",
    "dns": "is proxied by Cloudflare",
    "broker": "publishes the broker at 5672",
    "names": "is called videobackend-web on the Docker host",
    "exceptions": "has an exception from care that ended on 2020-01-01",
}
"""Of each rule, words of what it must say."""


def apply(tree: Path) -> None:
    """Breaks the copy of the program in `tree`."""
    for path, old, new in PATCHES:
        file = tree / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), encoding="utf-8")
