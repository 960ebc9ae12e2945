"""The rules as pure functions: what the program asks for keeps them, and each is broken by what it forbids alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from components.config.addresses import PublicUrl
from components.config.settings import LOCAL_STACK
from components.stack import spec
from ops.plan import cloudflare
from policies import resource, rules
from policies.resource import HIDDEN, Resource, Stack
from policies.rules import RULES
from policies.violation import Violation
from tests.component.recorder import PROJECT, SCENARIOS, scenario
from tests.policies import stacks

TODAY: Final = date(2026, 12, 1)
DOMAIN: Final = "domain"
LOCAL_CA: Final = "defaults"
BROKER: Final = "embedded broker"


def judged(found: list[Resource], name: str, config: dict[str, str], today: date = TODAY) -> list[Violation]:
    return rules.judge(found, Stack(name, config, today))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_the_program_asks_for_keeps_every_mandatory_rule(name: str) -> None:
    broken = judged(stacks.resources(name), LOCAL_STACK, stacks.config(name))
    assert [one for one in broken if one.level == "mandatory"] == []
    assert {one.rule for one in broken} <= {"docker-host", "image-digest"}


@pytest.mark.parametrize("name", ["domain", "embedded broker"])
def test_so_it_does_outside_dev(name: str) -> None:
    assert {one.rule for one in judged(elsewhere(name), "prod", stacks.config(name))} == {"image-digest"}


def elsewhere(name: str) -> list[Resource]:
    """A scenario as the stack prod, on another Docker host."""
    found = stacks.resources(name, "prod")
    (provider,) = (one for one in found if one.type == rules.PROVIDER)
    replace(host="ssh://deploy@video.example.org")(provider.inputs)  # type: ignore[arg-type]
    return found


Edit = Callable[[dict[str, Any]], object]


def replace(**inputs: Any) -> Edit:
    return lambda given: given.update(inputs)


def more(name: str, item: Any) -> Edit:
    return lambda given: given.setdefault(name, []).append(item)


def less(*names: str) -> Edit:
    return lambda given: [given.pop(name) for name in names]


def variable(name: str, value: str) -> Edit:
    def edit(given: dict[str, Any]) -> None:
        given["envs"] = [*(one for one in given["envs"] if not one.startswith(f"{name}=")), f"{name}={value}"]

    return edit


def label(name: str, value: str) -> Edit:
    def edit(given: dict[str, Any]) -> None:
        given["labels"] = [*(one for one in given["labels"] if one["label"] != name), {"label": name, "value": value}]

    return edit


PORT: Final = {"internal": 22, "external": 2222, "protocol": "tcp", "ip": "0.0.0.0"}
BROKER_PORT: Final = {**PORT, "internal": 5672, "external": 5672}
BREACHES: Final[list[tuple[str, str, str, Edit, str]]] = [
    ("docker-host", DOMAIN, "docker", replace(host="unix:///var/run/docker.sock"), "the machine that runs Pulumi"),
    ("docker-host", DOMAIN, "docker", replace(host="tcp://127.0.0.1:2375"), "the machine that runs Pulumi"),
    ("docker-host", DOMAIN, "docker", replace(context="default"), "the machine that runs Pulumi"),
    ("ports", DOMAIN, "videobackend-web", more("ports", PORT), "publishes 2222/tcp"),
    ("ports", DOMAIN, "videobackend-prosody", more("ports", {**PORT, "internal": 5280}), "publishes 2222/tcp"),
    ("ports", DOMAIN, "videobackend-jvb", more("ports", {**PORT, "internal": 8080}), "publishes 2222/tcp"),
    ("ports", DOMAIN, "videobackend-jvb", replace(publishAllPorts=True), "all ports"),
    ("ports", DOMAIN, "videobackend-web", lambda given: given["ports"][0].pop("ip"), "at which address"),
    ("image-registry", DOMAIN, "videobackend-web", replace(image="evil.test/jitsi/web:stable-11146-2"), "evil.test"),
    ("image-registry", DOMAIN, "videobackend-web", replace(image="jitsi/web:stable-11146-2"), "docker.io/jitsi/web"),
    ("image-registry", DOMAIN, "videobackend-web", replace(image="ghcr.io/jitsi-evil/web:1"), "ghcr.io/jitsi-evil"),
    ("image-registry", DOMAIN, "videobackend-web", replace(image="ghcr.io/jitsi/web"), "without a tag"),
    ("image-registry", DOMAIN, "videobackend-web", replace(image="ghcr.io/jitsi/web:latest"), "without a tag"),
    ("image-digest", DOMAIN, "videobackend-web", replace(), "by its tag alone"),
    ("image-digest", DOMAIN, "videobackend-web", replace(image="ghcr.io/jitsi/web:1@sha256:abc"), "by its tag alone"),
    ("privileges", DOMAIN, "videobackend-web", replace(privileged=True), "is privileged"),
    ("privileges", DOMAIN, "videobackend-jvb", replace(networkMode="host"), "has networkMode host"),
    ("privileges", DOMAIN, "videobackend-jvb", replace(networkMode="container:other"), "networkMode container:other"),
    ("privileges", DOMAIN, "videobackend-jvb", replace(pidMode="host"), "has pidMode host"),
    ("privileges", DOMAIN, "videobackend-jvb", more("devices", {"hostPath": "/dev/mem"}), "devices of the host"),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        more("volumes", {"hostPath": "/var/run/docker.sock", "containerPath": "/var/run/docker.sock"}),
        "has /var/run/docker.sock of the host mounted",
    ),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        more("mounts", {"type": "bind", "source": "/", "target": "/h"}),
        "has /",
    ),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        replace(capabilities={"drops": ["ALL"], "adds": ["CAP_SYS_ADMIN"]}),
        "has the capability CAP_SYS_ADMIN",
    ),
    ("privileges", DOMAIN, "videobackend-web", less("capabilities"), "keeps capabilities"),
    ("privileges", DOMAIN, "videobackend-web", replace(securityOpts=[]), "may gain privileges"),
    ("privileges", DOMAIN, "videobackend-web", more("securityOpts", "seccomp=unconfined"), "seccomp=unconfined"),
    ("privileges", DOMAIN, "videobackend-web", more("securityOpts", "label=disable"), "label=disable"),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        more("securityOpts", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'),
        "seccomp",
    ),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        more("volumes", {"volumeName": "/", "containerPath": "/h"}),
        "has / of the",
    ),
    ("privileges", DOMAIN, "videobackend-web", more("volumes", {"fromContainer": "other"}), "the volumes of other"),
    (
        "privileges",
        DOMAIN,
        "videobackend-web",
        more("mounts", {"type": "volume", "volumeOptions": {"driverOptions": {"o": "bind", "device": "/"}}}),
        "volumeOptions",
    ),
    ("privileges", DOMAIN, "videobackend-web", replace(cgroupnsMode="host"), "has cgroupnsMode host"),
    ("privileges", DOMAIN, "videobackend-web", replace(groupAdds=["docker"]), "has groupAdds"),
    ("care", DOMAIN, "videobackend-web", less("healthcheck"), "no health check"),
    ("care", DOMAIN, "videobackend-web", replace(healthcheck={"tests": ["NONE"]}), "no health check"),
    ("care", DOMAIN, "videobackend-web", replace(restart="no"), "restart is no"),
    ("care", DOMAIN, "videobackend-web", less("restart"), "restart is unset"),
    ("care", DOMAIN, "videobackend-web", replace(logOpts={"max-size": "10m"}), "a log without limits"),
    ("care", DOMAIN, "videobackend-web", replace(logDriver="syslog"), "a log without limits"),
    ("care", DOMAIN, "videobackend-web", less("memory"), "no memory limit"),
    ("care", DOMAIN, "videobackend-web", less("destroyGraceSeconds"), "gets 0 seconds to stop"),
    ("kept", DOMAIN, "videobackend-prosody-data", replace(driver="local"), "has driver"),
    ("kept", LOCAL_CA, "videobackend-certificates-ca-key", replace(algorithm="RSA"), "make a new authority"),
    ("kept", LOCAL_CA, "videobackend-certificates-ca", replace(validityPeriodHours=24), "make a new authority"),
    ("sign-in", DOMAIN, "videobackend-prosody", variable("ENABLE_AUTH", "0"), "lets whoever has the URL in"),
    ("sign-in", DOMAIN, "videobackend-web", variable("ENABLE_GUESTS", "1"), "lets guests in"),
    ("plain-secret", DOMAIN, "videobackend-jvb", variable("JVB_AUTH_PASSWORD", "hunter2"), "has JVB_AUTH_PASSWORD"),
    ("plain-secret", DOMAIN, "videobackend-jvb", variable("BROKER", "http://u:hunter2@mq.test"), "has BROKER"),
    ("plain-secret", DOMAIN, "videobackend-jvb", label("x", HIDDEN), "label x"),
    ("plain-secret", DOMAIN, "videobackend-jvb", label("jwt-secret", "abc"), "label jwt-secret"),
    ("plain-secret", DOMAIN, "videobackend-web", more("uploads", {"file": HIDDEN, "content": "a"}), "name of a file"),
    (
        "plain-secret",
        DOMAIN,
        "videobackend-web",
        more("uploads", {"file": "/k", "content": "-----BEGIN EC PRIVATE KEY-----"}),
        "a private key in plain text in /k",
    ),
    ("plain-secret", DOMAIN, "videobackend-web", replace(command=["serve", HIDDEN]), "in its command"),
    ("tls", DOMAIN, "videobackend-web", variable("ENABLE_LETSENCRYPT", "0"), "signs its own certificate"),
    ("tls", DOMAIN, "videobackend-web", variable("LETSENCRYPT_USE_STAGING", "1"), "a certificate for trying out"),
    ("dns", DOMAIN, "videobackend-dns-a-", replace(proxied=True), "is proxied"),
    ("dns", DOMAIN, "videobackend-dns-a-", replace(name="video.other.test"), "outside the zone"),
    ("dns", DOMAIN, "videobackend-dns-a-", replace(name="evilexample.org"), "outside the zone"),
    ("broker", BROKER, "videobackend-rabbitmq", replace(networkMode="host"), "publishes the broker"),
    ("names", DOMAIN, "videobackend-web", replace(name="web"), "is called web on the Docker host"),
    ("names", DOMAIN, "videobackend-network", replace(name="videobackend-pro-meet"), "other stacks there"),
    ("names", DOMAIN, "videobackend-web", label("videobackend.stack", "other"), "no label videobackend.stack prod"),
    ("names", DOMAIN, "videobackend-prosody-data", replace(labels=[]), "no label"),
]
"""Rule, scenario, the start of one resource's name, what is done to it, and words of what the rule must say."""
ALSO: Final = {("broker", "videobackend-rabbitmq"): {"privileges"}, ("names", "videobackend-prosody-data"): {"kept"}}
"""What may break with it: the same fact seen by another rule."""


def test_each_rule_is_broken_by_what_it_forbids_and_by_nothing_else() -> None:
    faults = []
    for rule, name, prefix, edit, words in BREACHES:
        found = elsewhere(name)
        target = next(one for one in found if one.name == prefix or (prefix[-1] == "-" and one.name.startswith(prefix)))
        before = judged(found, "prod", stacks.config(name))
        edit(target.inputs)  # type: ignore[arg-type]
        after = judged(found, "prod", stacks.config(name))
        new = [one for one in after if one not in before] if words != "by its tag alone" else after
        told = [one.text for one in new if one.rule == rule and one.resource == target.name]
        others = {one.rule for one in new} - {rule, "image-digest"} - ALSO.get((rule, prefix), set())
        if not any(words in text for text in told) or others:
            faults.append(f"{rule}, {prefix}: {words!r} is not in {told}, or broken as well: {others}")
    assert faults == []


def test_a_published_broker_is_told_from_another_port() -> None:
    found = stacks.resources(BROKER, "prod")
    for prefix in ("videobackend-rabbitmq", "videobackend-web"):
        target = next(one for one in found if one.name == prefix)
        more("ports", dict(BROKER_PORT))(target.inputs)  # type: ignore[arg-type]
    broken = judged(found, "prod", stacks.config(BROKER))
    assert {one.resource for one in broken if one.rule == "broker"} == {"videobackend-rabbitmq", "videobackend-web"}


def test_an_authority_of_the_stacks_own_is_none_for_a_public_name() -> None:
    config = {"publicUrl": "https://video.example.org"}
    broken = judged(stacks.resources(LOCAL_CA, "prod"), "prod", config)
    assert any(one.rule == "tls" and "no browser knows it" in one.text for one in broken)


def test_on_a_local_name_and_on_dev_what_is_for_trying_out_is_allowed() -> None:
    assert judged(stacks.resources("without tokens"), "dev", stacks.config("without tokens"))
    broken = {one.rule for one in judged(stacks.resources("without tokens"), "dev", stacks.config("without tokens"))}
    assert broken == {"image-digest"}


def test_every_rule_is_broken_once_here() -> None:
    assert {rule for rule, *_ in BREACHES} | {"exceptions"} == {rule.name for rule in RULES}


EXCEPTION: Final = "sign-in until 2026-12-31 because a demonstration to the board"


@pytest.mark.parametrize(
    ("text", "today", "said"),
    [
        (EXCEPTION, TODAY, None),
        (EXCEPTION, date(2026, 12, 31), None),
        (EXCEPTION, date(2025, 12, 30), None),
        (EXCEPTION, date(2025, 12, 29), "366 days ahead at most"),
        (EXCEPTION, date(2027, 1, 1), "ended on 2026-12-31: a demonstration to the board"),
        ("sign-in until 2029-01-01 because a demonstration to the board", TODAY, "366 days ahead at most"),
        ("signin until 2026-12-31 because a demonstration to the board", TODAY, "is no rule"),
        ("exceptions until 2026-12-31 because a demonstration to the board", TODAY, "is no rule"),
        ("sign-in", TODAY, "cannot be read"),
    ],
)
def test_an_exception_counts_until_its_day_and_says_why_it_does_not(text: str, today: date, said: str | None) -> None:
    found = stacks.resources("without tokens", "prod")
    broken = judged(found, "prod", {**stacks.config("without tokens"), "policyExceptions": text}, today)
    by_rule = {one.rule: one for one in broken}
    if said is None:
        assert not by_rule.keys() & {"sign-in", "exceptions"}
    else:
        assert said in by_rule["exceptions"].text
        assert by_rule["exceptions"].level == "mandatory"
        assert "sign-in" in by_rule


def test_a_change_that_makes_a_volume_or_the_authority_anew_is_named() -> None:
    before, after = (rules.kept(stacks.resources(LOCAL_CA)) for _ in range(2))
    assert rules.replaced(before, after) == []
    assert {name.removeprefix("videobackend-") for name in before} >= {
        "web-storage",
        "prosody-data",
        "certificates-ca",
        "certificates-ca-key",
    }
    for name in before:
        changed = {**after, name: {**after[name], "name": "another"}}
        assert [(one.resource, one.level) for one in rules.replaced(before, changed)] == [(name, "mandatory")]


HOSTS: Final = (
    "video.example.org onlineberatung.local localhost a.localhost box 192.0.2.1 ::1 x.internal a.test b.home.arpa c.lan "
    "d.intranet e.localdomain"
)


@pytest.mark.parametrize("host", HOSTS.split())
def test_a_public_name_is_one_to_the_rules_as_it_is_to_the_program(host: str) -> None:
    url = PublicUrl(host, 8443)
    assert Stack("prod", {"publicUrl": url.origin}).is_public is url.is_public_name


def test_rules_and_program_mean_the_same_by_their_words() -> None:
    assert (resource.HIDDEN, rules.LOCAL_STACK, resource.PROJECT) == (spec.HIDDEN, LOCAL_STACK, PROJECT)


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("rabbitmq:4.3", ("docker.io/library/rabbitmq", "4.3", "")),
        ("coturn/coturn:1", ("docker.io/coturn/coturn", "1", "")),
        ("localhost:5000/a", ("localhost:5000/a", "", "")),
        ("ghcr.io/jitsi/web:stable-1@sha256:ab", ("ghcr.io/jitsi/web", "stable-1", "sha256:ab")),
    ],
)
def test_an_image_is_read_as_docker_reads_it(image: str, parts: tuple[str, str, str]) -> None:
    assert rules.canonical(image) == parts


def test_what_stands_in_for_cloudflares_package_registers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = scenario(DOMAIN)
    monkeypatch.setitem(sys.modules, "pulumi_cloudflare", cloudflare)
    monkeypatch.delitem(sys.modules, "components.resources.dns")
    light = scenario.__wrapped__(DOMAIN)
    shown = [
        sorted((one.name, {**one.inputs, "zoneId": ""}) for one in run.of_type(rules.RECORD)) for run in (real, light)
    ]
    assert shown[0] == shown[1] != []


def test_the_documentation_lists_the_rules_with_their_levels_in_order() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (mandatory|advisory) \|", text, re.MULTILINE)
    assert rows == [(rule.name, rule.level) for rule in RULES]
