"""The plan on one screen: what runs, what is generated, who reaches it, and what to do next.

Owns the layout. Everything that it says comes from the settings and the blueprint.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from components.config.addresses import IpAddress, is_loopback_name
from components.config.ports import HeldPort, held_ports
from components.config.settings import Settings
from components.stack.blueprint import Blueprint, blueprint
from components.stack.certificate import LocalCa, OwnCertificate
from components.stack.spec import ContainerSpec, HealthSpec
from ops.project.fixes import make

_WIDTH = 118
_LABEL = 11


def render(settings: Settings, warnings: Sequence[str]) -> str:
    """The screen, with these warnings."""
    plan = blueprint(settings)
    lines = [f"Plan of stack {settings.stack!r}: {settings.public_url.origin}, {_where(settings)}", ""]
    lines += _table(("SERVICE", "IMAGE", "PORTS", "HEALTHY WHEN", "AT MOST", "VOLUMES"), map(_row, plan.containers))
    lines.append("")
    for label, texts in (
        ("Memory", [f"{sum(spec.memory for spec in plan.containers)} MiB at most (docs/hardening.md)"]),
        ("Generated", _generated(plan)),
        ("Your own", _own(plan)),
        ("Open to", _open(settings)),
        ("TLS", [_tls(settings)]),
        ("Sign-in", [_sign_in(settings)]),
        ("DNS", _dns(settings, plan)),
        ("Warnings", warnings),
        ("Next", _next(settings)),
    ):
        lines += _paragraph(label, texts)
    return "\n".join(
        [*lines, "", "Compared with no state; nothing was decrypted. Every resource, and what breaks a policy: --full."]
    )


def _where(settings: Settings) -> str:
    if settings.docker_secrets & {"host", "context"}:
        return "on the Docker host that the stack file has encrypted"
    if settings.docker.get("context"):
        return f"on the Docker host of context {settings.docker['context']}"
    local = settings.docker_url.startswith("unix://")
    return "on this machine's Docker" if local else f"on the Docker host {settings.docker_url}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(spec: ContainerSpec) -> tuple[str, ...]:
    return (
        spec.role,
        re.sub(r"@sha256:([0-9a-f]{12})[0-9a-f]{52}$", r"@\1", spec.image),
        _ports(spec),
        _health(spec.health),
        f"{spec.memory} MiB",
        ", ".join(one.name for one in spec.volumes) or "-",
    )


def _ports(spec: ContainerSpec) -> str:
    if spec.host_network:
        return "the host's own"
    return ", ".join(dict.fromkeys(f"{one.external}/{one.protocol}" for one in spec.ports)) or "-"


def _health(health: HealthSpec) -> str:
    """What is asked: the port and path of each URL, or bash's /dev/tcp/ADDRESS/PORT."""
    asked = [word.partition("://")[2] for word in health.command if "://" in word]
    shown = [f":{one.partition('/')[0].rpartition(':')[2]}/{one.partition('/')[2]}" for one in asked]
    return " and ".join(shown) or f":{health.command[-1].rpartition('/')[2]}"


def _generated(plan: Blueprint) -> Iterator[str]:
    lengths: dict[int, list[str]] = {}
    for one in plan.credentials:
        if one.own is None:
            lengths.setdefault(one.length * 4, []).append(one.name)
    for bits, names in lengths.items():
        yield f"{', '.join(names)} ({bits} bits)"
    if isinstance(plan.certificate, LocalCa):
        yield f"certificate for {plan.certificate.host}, signed by an authority of its own ({plan.certificate.authority})"


def _own(plan: Blueprint) -> Iterator[str]:
    names = [one.name for one in plan.credentials if one.own is not None] + list(plan.passed_on)
    names += ["tls_certificate", "tls_private_key"] if isinstance(plan.certificate, OwnCertificate) else []
    if names:
        yield f"{', '.join(names)} (encrypted in the stack file)"


def _open(settings: Settings) -> Iterator[str]:
    for port in held_ports(settings):
        yield f"{_to_whom(port.addresses)}: {_number(port)}, {port.service}, {port.purpose} ({port.key})"


def _number(port: HeldPort) -> str:
    number = f"{port.first}-{port.last}" if port.is_range else str(port.first)
    return f"{' and '.join(one.upper() for one in port.protocols)} {number}"


def _to_whom(addresses: Sequence[IpAddress]) -> str:
    if all(one.is_loopback for one in addresses):
        return "the Docker host alone"
    named = [str(one) for one in addresses if not one.is_unspecified]
    return f"whoever reaches {', '.join(named)}" if named else "whoever reaches the Docker host"


def _tls(settings: Settings) -> str:
    return {
        "local-ca": "local-ca: browsers must trust the stack's certificate authority (docs/tls.md)",
        "own": "own: your certificate, from the stack file",
        "letsencrypt": "letsencrypt: fetched when web starts; TCP 80 must reach it",
        "proxy": "proxy: your own proxy has the certificate, web serves plain HTTP to it",
        "self-signed": "self-signed: browsers ask before they open the page",
    }[settings.tls_mode]


def _sign_in(settings: Settings) -> str:
    if not settings.enable_auth:
        return "none: whoever has the URL gets in (enableAuth false)"
    if settings.token_auth:
        issuers, guests = ", ".join(settings.jwt_accepted_issuers), settings.enable_guests
        return f"tokens of {issuers}" + (
            "; guests without one enter rooms that are open" if guests else "; nobody else"
        )
    return f"accounts in prosody (authType {settings.auth_type})"


def _dns(settings: Settings, plan: Blueprint) -> Iterator[str]:
    if plan.dns is not None:
        yield f"{'; '.join(map(str, plan.dns.records)) or 'no record: no public address'} (zone {plan.dns.zone})"
    elif "hostsEntry" in plan.outputs:
        yield f"none; on each machine in /etc/hosts: {plan.outputs['hostsEntry']}"
    elif settings.public_url.address is not None:
        yield "none: publicUrl has an address"
    elif is_loopback_name(settings.public_url.host):
        yield f"none: {settings.public_url.host} is the browser's own machine, so only browsers on the Docker host reach it"
    else:
        yield f"none made (dnsZone is not set): {settings.public_url.host} must lead to the Docker host"


def _next(settings: Settings) -> Iterator[str]:
    stack = settings.stack
    yield f"{make(stack, 'up')}, then {make(stack, 'verify')}"
    if settings.tls_mode == "local-ca":
        yield f"browsers: {make(stack, 'outputs', 'NAME=caCertificate')} > videobackend-ca.pem (docs/tls.md)"
    if settings.token_auth:
        yield f"VideoService: {make(stack, 'outputs', 'NAME=videoServiceProperties', 'SHOW_SECRETS=1')}"


def _paragraph(label: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=label.ljust(_LABEL),
            subsequent_indent=" " * (_LABEL + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        label = ""
