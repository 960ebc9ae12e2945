"""The stack as a Mermaid flowchart: its parts, who starts after whom, and the ports that are open.

Owns the text of the drawing. GitHub and GitLab draw it where it stands in a code block `mermaid`.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.config.ports import HeldPort, held_ports
from components.config.settings import Settings
from components.stack import topology
from components.stack.blueprint import Blueprint, blueprint
from components.stack.spec import ContainerSpec

_ABOUT = {
    topology.WEB: "front end",
    topology.PROSODY: "sign-in and rooms",
    topology.JICOFO: "gives calls a bridge",
    topology.JVB: "media bridge",
    topology.RABBITMQ: "broker",
    topology.COTURN: "TURN server",
}


def render(settings: Settings) -> str:
    """The drawing."""
    plan = blueprint(settings)
    lines = ["flowchart TB", '    browser(["browser"])', f'    subgraph host["Docker host, stack {settings.stack}"]']
    lines += [f'        {spec.role}["{spec.role}<br/>{_ABOUT[spec.role]}"]' for spec in plan.containers]
    lines += ["    end", *_arrivals(settings), *_inside(plan), *_outside(settings, plan)]
    return "\n".join(lines)


def _arrivals(settings: Settings) -> Iterator[str]:
    """An arrow for each service that is reached from outside, with its ports."""
    ports: dict[str, list[HeldPort]] = {}
    for port in held_ports(settings):
        ports.setdefault(port.service, []).append(port)
    for service, held in ports.items():
        yield f'    browser -->|"{"<br/>".join(map(_named, held))}"| {service}'


def _named(port: HeldPort) -> str:
    number = f"{port.first}-{port.last}" if port.is_range else str(port.first)
    return f"{port.purpose}, {'/'.join(one.upper() for one in port.protocols)} {number}"


def _inside(plan: Blueprint) -> Iterator[str]:
    roles = {spec.role: spec for spec in plan.containers}
    for role in (topology.WEB, topology.JICOFO, topology.JVB):
        if role in roles and _share_a_network(roles[role], roles[topology.PROSODY]):
            yield f"    {role} -->|XMPP| {topology.PROSODY}"
    if topology.RABBITMQ in roles:
        yield f"    {topology.PROSODY} -->|events| {topology.RABBITMQ}"


def _share_a_network(one: ContainerSpec, other: ContainerSpec) -> bool:
    return bool(set(one.networks) & set(other.networks))


def _outside(settings: Settings, plan: Blueprint) -> Iterator[str]:
    if settings.statistics is not None and not settings.embedded_broker:
        yield f'    {topology.PROSODY} -->|events| broker(["RabbitMQ"])'
    if settings.token_auth:
        yield f'    service(["VideoService"]) -.->|signs the tokens that prosody checks| {topology.PROSODY}'
    if settings.video_service is not None:
        yield f'    {topology.PROSODY} -->|ends of calls| service(["VideoService"])'
    if plan.dns is not None:
        yield f'    dns(["DNS zone {plan.dns.zone}"]) -.->|"{settings.public_url.host}"| host'
