"""The rules that every stack must keep, as pure functions of one resource and its stack: docs/policies.md lists them.

Owns the rules, which of them stop a change (mandatory) and which only say so (advisory), and the judgement of a whole
stack. Knows neither Pulumi nor this project's packages: the pack (`__main__`), `ops plan`, `ops review` and the tests
hand it the resources, each as the engine gets it (`resource`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from policies import exceptions
from policies.resource import HIDDEN, PROJECT, SECRET_NAME, UNKNOWN, Resource, Stack
from policies.violation import Level, Violation

LOCAL_STACK: Final = "dev"
REGISTRIES: Final = ("ghcr.io/jitsi", "docker.io/coturn", "docker.io/library")
"""Where images may come from. A mirror of your own is entered here, in a change that somebody reviews."""

CONTAINER: Final = "docker:index/container:Container"
NETWORK: Final = "docker:index/network:Network"
VOLUME: Final = "docker:index/volume:Volume"
PROVIDER: Final = "pulumi:providers:docker"
RECORD: Final = "cloudflare:index/dnsRecord:DnsRecord"
PRIVATE_KEY: Final = "tls:index/privateKey:PrivateKey"
AUTHORITY: Final = "tls:index/selfSignedCert:SelfSignedCert"
STACK: Final = "pulumi:pulumi:Stack"

_PORTS: Final = {"web": {(8000, "tcp"), (8443, "tcp")}}
_BROKER_PORTS: Final = {1883, 4369, 5671, 5672, 15671, 15672, 25672, 61613}
_HOST_NETWORK: Final = "coturn"
_CAPABILITIES: Final = {"coturn": {"CAP_NET_BIND_SERVICE"}}
_KEY_TEXT: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z]://[^/\s:@]*:[^/\s@]+@")
_CA_KEY: Final = {"algorithm": "ECDSA", "ecdsaCurve": "P256"}
_CA: Final = {
    "allowedUses": ["cert_signing", "crl_signing"],
    "earlyRenewalHours": 9528,
    "isCaCertificate": True,
    "maxPathLength": 0,
    "setSubjectKeyId": True,
    "validityPeriodHours": 87600,
}
_ON_EXCEPTIONS: Final = "exceptions"
"""The rule about exceptions has none."""
_CERTIFICATE: Final = "/config/keys/cert.crt"


Check = Callable[[Resource, Stack], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        name: as exceptions name it.
        level: mandatory stops a change, advisory only says so.
        holds: what must hold, in a sentence without its full stop.
        types: of the resources that it is about.
        check: says of one of these what is wrong with it, in a few words each.
    """

    name: str
    level: Level
    holds: str
    types: tuple[str, ...]
    check: Check


def role(resource: Resource) -> str:
    """What a resource is for, by its logical name."""
    return resource.name.removeprefix(f"{PROJECT}-").removesuffix("-image")


def _items(resource: Resource, name: str) -> list[Any]:
    """A list among the inputs; an item alone where one stands there that is no list, such as a secret."""
    value = resource.inputs.get(name)
    return value if isinstance(value, list) else [value] if value not in (None, "", {}) else []


def _maps(resource: Resource, name: str) -> list[dict[str, Any]]:
    return [one for one in _items(resource, name) if isinstance(one, dict)]


def _environment(resource: Resource) -> dict[str, str]:
    pairs = (str(one).partition("=") for one in _items(resource, "envs"))
    return {name: value for name, _, value in pairs}


def _docker_host(resource: Resource, stack: Stack) -> Iterator[str]:
    host, context = (str(resource.inputs.get(name) or "") for name in ("host", "context"))
    if not stack.is_public or HIDDEN in (host, context) or (context and context != "default"):
        return
    url = urlsplit(host)
    name = url.hostname or ""
    own = url.scheme in ("", "unix", "npipe") or name in ("localhost", "::1", "0.0.0.0") or name.startswith("127.")
    if own or context:
        yield f"is {context or host or 'the default'}, the machine that runs Pulumi: set docker:host"


def _ports(resource: Resource, _stack: Stack) -> Iterator[str]:
    for port in _maps(resource, "ports"):
        inside, outside, protocol = port.get("internal"), port.get("external"), port.get("protocol", "tcp")
        media = role(resource) == "jvb" and protocol == "udp" and inside == outside
        if not media and (inside, protocol) not in _PORTS.get(role(resource), ()):
            yield f"publishes {outside}/{protocol}, which no page of docs/settings.md has"
        if not port.get("ip"):
            yield f"publishes {outside}/{protocol} without saying at which address"
    if resource.inputs.get("publishAllPorts"):
        yield "publishes all ports of its image"


def canonical(image: str) -> tuple[str, str, str]:
    """Name with registry, tag and digest of an image reference as Docker reads it (distribution/reference).

    `rabbitmq:4.3` is `docker.io/library/rabbitmq`, `4.3` and no digest.
    """
    name, _, digest = image.partition("@")
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, ""
    first = path.partition("/")[0]
    if "/" not in path:
        path = f"docker.io/library/{path}"
    elif not ("." in first or ":" in first or first == "localhost"):
        path = f"docker.io/{path}"
    return path, tag, digest


def _image(resource: Resource) -> str:
    return str(resource.inputs.get("image") or "")


def _image_registry(resource: Resource, _stack: Stack) -> Iterator[str]:
    name, tag, digest = canonical(_image(resource))
    if not name.startswith(tuple(f"{one}/" for one in REGISTRIES)):
        yield f"has its image from {name}, and REGISTRIES in policies/rules.py are {', '.join(REGISTRIES)}"
    if not digest and tag in ("", "latest", "stable", "unstable"):
        yield f"has an image without a tag that stays: {_image(resource)}"


def _image_digest(resource: Resource, _stack: Stack) -> Iterator[str]:
    digest = canonical(_image(resource))[2]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        yield "runs an image by its tag alone, and tags move: make pin"


def _privileges(resource: Resource, _stack: Stack) -> Iterator[str]:
    inputs, own = resource.inputs, role(resource)
    if inputs.get("privileged"):
        yield "is privileged"
    mode = str(inputs.get("networkMode") or "")
    if (mode == "host" and own != _HOST_NETWORK) or mode.startswith("container:"):
        yield f"has networkMode {mode}"
    for name in ("pidMode", "ipcMode", "usernsMode", "cgroupnsMode"):
        if inputs.get(name) not in (None, "", "private"):
            yield f"has {name} {inputs[name]}"
    if _items(resource, "devices") or inputs.get("gpus"):
        yield "has devices of the host"
    yield from _mounts(resource)
    for name in ("deviceRequests", "deviceCgroupRules", "groupAdds", "sysctls"):
        if _items(resource, name):
            yield f"has {name}, which is the host's to give"
    yield from _gains(resource, own)


def _gains(resource: Resource, own: str) -> Iterator[str]:
    capabilities = resource.inputs.get("capabilities")
    capabilities = capabilities if isinstance(capabilities, dict) else {}
    if capabilities.get("drops") != ["ALL"]:
        yield "keeps capabilities: all must be dropped"
    for one in sorted(set(capabilities.get("adds") or ()) - _CAPABILITIES.get(own, set())):
        yield f"has the capability {one}"
    options = _items(resource, "securityOpts")
    if "no-new-privileges:true" not in options and own not in _CAPABILITIES:
        yield "may gain privileges: no-new-privileges is off"
    for one in options:
        if one != "no-new-privileges:true":
            yield f"has {one}, and no option of security but no-new-privileges is known"


def _mounts(resource: Resource) -> Iterator[str]:
    mounted = [one.get("hostPath") for one in _maps(resource, "volumes")]
    mounted += [one.get("source") for one in _maps(resource, "mounts") if one.get("type") != "volume"]
    mounted += [one.get("volumeName") for one in _maps(resource, "volumes") if "/" in str(one.get("volumeName") or "")]
    for path in filter(None, mounted):
        yield f"has {path} of the host mounted"
    if any(one.get("volumeOptions") for one in _maps(resource, "mounts")):
        yield "has a mount with volumeOptions, which can be a path of the host"
    for path in filter(None, (one.get("fromContainer") for one in _maps(resource, "volumes"))):
        yield f"has the volumes of {path} mounted"


def _care(resource: Resource, _stack: Stack) -> Iterator[str]:
    inputs = resource.inputs
    health = inputs.get("healthcheck")
    tests = health.get("tests") if isinstance(health, dict) else None
    if not tests or tests[0] not in ("CMD", "CMD-SHELL") or len(tests) < 2:
        yield "has no health check"
    if inputs.get("restart") not in ("unless-stopped", "always"):
        yield f"does not start again after a reboot: restart is {inputs.get('restart') or 'unset'}"
    limits = inputs.get("logOpts")
    if (
        inputs.get("logDriver") != "json-file"
        or not isinstance(limits, dict)
        or not {"max-size", "max-file"} <= set(limits)
    ):
        yield "has a log without limits"
    if not inputs.get("memory"):
        yield "has no memory limit"
    if int(inputs.get("destroyGraceSeconds") or 0) < 10:
        yield f"gets {inputs.get('destroyGraceSeconds') or 0} seconds to stop: 10 at least"


def _kept(resource: Resource, stack: Stack) -> Iterator[str]:
    """The engine shows a rule no state: what is checked is that nothing is asked for that would make another one."""
    inputs, own = dict(resource.inputs), role(resource)
    if resource.type == VOLUME:
        for name in sorted(set(inputs) - {"name", "labels"}):
            yield f"has {name}, which makes a new, empty volume"
        if inputs.get("name") != f"{PROJECT}-{stack.name}-{own}":
            yield f"is called {inputs.get('name')}, which makes a new, empty volume"
    elif (resource.type == PRIVATE_KEY and own.endswith("-ca-key") and inputs != _CA_KEY) or (
        resource.type == AUTHORITY and {name: inputs.get(name) for name in _CA} != _CA
    ):
        yield "has other arguments, which make a new authority"


def _sign_in(resource: Resource, stack: Stack) -> Iterator[str]:
    environment = _environment(resource)
    if stack.name == LOCAL_STACK or role(resource) not in ("web", "prosody"):
        return
    if environment.get("ENABLE_AUTH") != "1":
        yield "lets whoever has the URL in: enableAuth is off"
    if environment.get("ENABLE_GUESTS") != "0":
        yield "lets guests in: enableGuests is on"


def _plain_secret(resource: Resource, _stack: Stack) -> Iterator[str]:
    for name, value in _environment(resource).items():
        if value not in ("", HIDDEN) and (SECRET_NAME.search(name) or _KEY_TEXT.search(value)):
            yield f"has {name} in plain text in its environment"
    for label in _maps(resource, "labels"):
        name, value = str(label.get("label")), str(label.get("value"))
        if HIDDEN in (name, value) or SECRET_NAME.search(name) or _KEY_TEXT.search(value):
            yield f"has a secret in its label {name}, which whoever lists containers reads"
    for file in _maps(resource, "uploads"):
        path = str(file.get("file"))
        if HIDDEN in path:
            yield "has a secret in the name of a file"
        elif _KEY_TEXT.search(str(file.get("content") or "")):
            yield f"has a private key in plain text in {path}"
    for place in ("name", "hostname", "command", "entrypoints", "user"):
        if HIDDEN in map(str, _items(resource, place)):
            yield f"has a secret in its {place}, which whoever lists containers reads"


def _tls(resource: Resource, stack: Stack) -> Iterator[str]:
    if not stack.is_public:
        return
    if resource.type == AUTHORITY:
        yield "signs the certificate of a public name, and no browser knows it: tls letsencrypt, own or proxy"
    elif role(resource) == "web":
        environment = _environment(resource)
        own = any(one.get("file") == _CERTIFICATE for one in _maps(resource, "uploads"))
        if environment.get("ENABLE_LETSENCRYPT") == "1":
            if environment.get("LETSENCRYPT_USE_STAGING") == "1":
                yield "has a certificate for trying out on a public name: letsencryptUseStaging is on"
        elif not own and environment.get("DISABLE_HTTPS") != "1":
            yield "signs its own certificate on a public name: tls letsencrypt, own or proxy"


def _dns(resource: Resource, stack: Stack) -> Iterator[str]:
    name, zone = str(resource.inputs.get("name")), stack.config.get("dnsZone", "")
    if resource.inputs.get("proxied"):
        yield "is proxied by Cloudflare, which passes no media"
    if not zone or not (name == zone or name.endswith(f".{zone}")):
        yield f"is for {name}, outside the zone {zone or '(dnsZone is not set)'}"


def _broker(resource: Resource, _stack: Stack) -> Iterator[str]:
    ports = _maps(resource, "ports")
    own = role(resource) == "rabbitmq"
    published = [str(port.get("external")) for port in ports if own or port.get("internal") in _BROKER_PORTS]
    if published:
        yield f"publishes the broker at {', '.join(published)}"
    if own and resource.inputs.get("networkMode") == "host":
        yield "publishes the broker: it shares the host's network"


def _names(resource: Resource, stack: Stack) -> Iterator[str]:
    start, name = f"{PROJECT}-{stack.name}-", str(resource.inputs.get("name"))
    if not name.startswith(start):
        yield f"is called {name} on the Docker host: other stacks there may have it too ({start}...)"
    labels = {str(one.get("label")): one.get("value") for one in _maps(resource, "labels")}
    if labels.get("videobackend.stack") != stack.name:
        yield f"has no label videobackend.stack {stack.name}"
    if resource.type != NETWORK and labels.get("videobackend.role", UNKNOWN) == UNKNOWN:
        yield "has no label videobackend.role"


def _exceptions(_resource: Resource, stack: Stack) -> Iterator[str]:
    text = stack.config.get("policyExceptions")
    try:
        found = exceptions.parse(text) if text else ()
    except ValueError as error:
        yield f"has policyExceptions that cannot be read: {error}"
        return
    names = {rule.name for rule in RULES} - {_ON_EXCEPTIONS}
    for one in found:
        if one.rule not in names:
            yield f"has an exception from {one.rule}, which is no rule: {', '.join(sorted(names))}"
        elif one.until < stack.today:
            yield f"has an exception from {one.rule} that ended on {one.until}: {one.reason}"
        elif not one.counts(stack.today):
            yield f"has an exception from {one.rule} until {one.until}: {exceptions.LONGEST} days ahead at most"


RULES: Final = (
    Rule(
        "docker-host",
        "advisory",
        "a stack with a public name does not run on the machine that runs Pulumi",
        (PROVIDER,),
        _docker_host,
    ),
    Rule("ports", "mandatory", "only documented ports are published", (CONTAINER,), _ports),
    Rule(
        "image-registry",
        "mandatory",
        "images come from allowed registries, by a tag that stays",
        (CONTAINER,),
        _image_registry,
    ),
    Rule("image-digest", "advisory", "images are run by digest", (CONTAINER,), _image_digest),
    Rule(
        "privileges",
        "mandatory",
        "no container is privileged, mounts what is the host's, adds a capability, or shares the host's network but coturn",
        (CONTAINER,),
        _privileges,
    ),
    Rule(
        "care",
        "mandatory",
        "every container has a health check, a restart policy, limits of log and memory, and time to stop",
        (CONTAINER,),
        _care,
    ),
    Rule(
        "kept",
        "mandatory",
        "volumes and the certificate authority are never replaced",
        (VOLUME, PRIVATE_KEY, AUTHORITY),
        _kept,
    ),
    Rule(
        "sign-in", "mandatory", f"outside {LOCAL_STACK} users sign in and guests do not enter", (CONTAINER,), _sign_in
    ),
    Rule(
        "plain-secret",
        "mandatory",
        "no secret stands in plain text in an environment, a label, or a file's name",
        (CONTAINER,),
        _plain_secret,
    ),
    Rule("tls", "mandatory", "a public name has a certificate that browsers trust", (CONTAINER, AUTHORITY), _tls),
    Rule("dns", "mandatory", "DNS records are inside the zone and never proxied", (RECORD,), _dns),
    Rule("broker", "mandatory", "the broker is never published", (CONTAINER,), _broker),
    Rule(
        "names",
        "mandatory",
        "names and labels on the Docker host carry the stack",
        (CONTAINER, NETWORK, VOLUME),
        _names,
    ),
    Rule(_ON_EXCEPTIONS, "mandatory", "an exception names a rule and has not ended", (STACK,), _exceptions),
)
"""Every rule, in the order of docs/policies.md."""


def violations(rule: Rule, resource: Resource, stack: Stack) -> Iterator[Violation]:
    """How one resource breaks one rule; nothing where the stack has an exception that counts today."""
    suspended = {one.rule for one in stack.exceptions if one.counts(stack.today)} - {_ON_EXCEPTIONS}
    if resource.type in rule.types and rule.name not in suspended:
        yield from (Violation(rule.name, rule.level, resource.name, text) for text in rule.check(resource, stack))


def judge(resources: Iterable[Resource], stack: Stack) -> list[Violation]:
    """Every rule that a resource of the stack breaks, mandatory ones first."""
    found = [one for resource in resources for rule in RULES for one in violations(rule, resource, stack)]
    return sorted(found, key=lambda one: one.level != "mandatory")


def kept(resources: Iterable[Resource]) -> dict[str, Any]:
    """Name and inputs of what must never be replaced: volumes, and the key and certificate of the authority."""
    return {
        one.name: dict(one.inputs)
        for one in resources
        if one.type in (VOLUME, AUTHORITY) or (one.type == PRIVATE_KEY and role(one).endswith("-ca-key"))
    }


def replaced(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Violation]:
    """What of `kept` a change makes anew, of two revisions of one stack."""
    (rule,) = (one for one in RULES if one.name == "kept")
    return [
        Violation(rule.name, rule.level, name, "is replaced, and what it holds is lost")
        for name, inputs in after.items()
        if name in before and before[name] != inputs
    ]
