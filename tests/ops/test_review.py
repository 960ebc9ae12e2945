"""What a reviewer reads of a change: the judgement and its layout, on two trees of stack files and one program."""

from __future__ import annotations

import copy
import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ops.errors import OpsError
from ops.project import stackfile
from ops.review import beside, difference, snapshot, text

SECRET: Final = "v1:q83vEjRWeJCrze8=:6e2f0a41c9d7b583"
OTHER: Final = "v1:q83vEjRWeJCrze8=:0000000000000000"
PROD: Final = f"""encryptionsalt: v1:abc
config:
  publicUrl: https://video.example.org
  httpPort: 80
  httpsPort: 443
  letsencryptEmail: admin@video.example.org
  dockerHostAddress: 9.9.9.10
  docker:host: ssh://deploy@video.example.org
  dnsZone: video.example.org
  turn: embedded
  jwtAppSecret: {{secure: '{SECRET}'}}
  enableStatistics: true
  rabbitUrl: https://mq.video.example.org/api/exchanges/%2F/statistics.topic/publish
  rabbitUsername: statistics
  rabbitPassword: {{secure: '{SECRET}'}}
"""
DEV: Final = "config:\n  publicUrl: https://onlineberatung.local:8443\n"


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The snapshot of these stack files."""

    def snap(**files: str) -> dict[str, Any]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        root.mkdir()
        shutil.copy(stackfile.ROOT / "Pulumi.yaml", root)
        for name, content in files.items():
            (root / f"Pulumi.{name}.yaml").write_text(content)
        return snapshot.take(root)

    return snap


Take = Callable[..., dict[str, Any]]


def _set(line: str, replacement: str) -> str:
    """The production file with this line replaced, or with one more."""
    if not line:
        return f"{PROD}  {replacement}\n"
    assert line in PROD
    return PROD.replace(line, replacement)


DANGEROUS: Final = {
    "sign-in off": (_set("", "enableAuth: false"), "whoever has the URL gets in"),
    "guests": (_set("", "enableGuests: true"), "guests without a token"),
    "accounts instead of tokens": (_set("", "authType: internal"), "links are not accepted any more"),
    "lobby off": (_set("", "enableLobby: false"), "nobody waits for admission"),
    "a module of the rooms gone": (_set("", "xmppMucModules: close_room"), "lose the module token_moderation"),
    "another JWT secret": (PROD.replace(SECRET, OTHER, 1), "links already sent stop working"),
    "another issuer": (_set("", "jwtAcceptedIssuers: another"), "links already sent stop working"),
    "another address": (_set("https://video.example.org", "https://meet.video.example.org"), "lead to the old address"),
    "a third party": (_set("", "stunServers: stun.other.test:3478"), "a third party"),
    "an authority of its own": (_set("", "tls: local-ca"), "browsers must trust a new authority"),
    "certificates for trying out": (_set("", "letsencryptUseStaging: true"), "browsers do not trust the certificate"),
    "another Docker host": (
        _set("ssh://deploy@video.example.org", "ssh://deploy@other.test"),
        "old containers keep running",
    ),
    "the Docker host unset": (
        _set("  docker:host: ssh://deploy@video.example.org\n", ""),
        "to unix:///var/run/docker.sock; the old containers keep running",
    ),
    "an encrypted Docker host, set to another": (
        _set("docker:host: ssh://deploy@video.example.org", f"docker:host: {{secure: '{OTHER}'}}"),
        "the old containers keep running",
    ),
    "another broker": (_set("https://mq.", "https://other."), "another broker"),
    "images from elsewhere": (_set("", "imageRegistry: registry.other.test/jitsi"), "images come from elsewhere"),
    "a port for everybody": (_set("", "bindAddress: '0.0.0.0,::'"), "opened"),
    "DNS gone": (_set("  dnsZone: video.example.org\n", ""), "the name leads nowhere"),
    "another key of the secrets": (_set("v1:abc", "v1:abd"), "cannot be read with another key"),
    "media elsewhere": (_set("9.9.9.10", "9.9.9.11"), "media goes to other addresses"),
    "statistics off": (_set("enableStatistics: true", "enableStatistics: false"), "no event says"),
    "another release": (_set("", "jitsiRelease: stable-11200"), "running calls end"),
    "another TURN secret": (_set("", f"turnSecret: {{secure: '{OTHER}'}}"), "running calls end"),
}


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize("layout", [text.as_terminal, text.as_markdown], ids=["terminal", "markdown"])
def test_no_dangerous_change_passes_without_being_named(take: Take, name: str, layout: Callable[..., str]) -> None:
    changed, words = DANGEROUS[name]
    base, head = take(prod=PROD, dev=DEV), take(prod=changed, dev=DEV)
    assert "error" not in head["prod"], head["prod"]
    shown = html.unescape(layout("main", difference.compare(base, head)))
    assert words in shown
    assert SECRET not in shown
    assert OTHER not in shown


def test_an_encrypted_docker_host_that_becomes_another_is_a_move(take: Take) -> None:
    line = "docker:host: ssh://deploy@video.example.org"
    base, head = (PROD.replace(line, f"docker:host: {{secure: '{one}'}}") for one in (SECRET, OTHER))
    (change,) = difference.compare(take(prod=base), take(prod=head))
    assert any("the old containers keep running" in one for one in change.people)
    assert set(change.replaced) >= {"web", "prosody", "jvb", "jicofo"}


@pytest.mark.parametrize(
    ("base", "head", "words"),
    [
        pytest.param(DEV + "  rabbitMq: embedded\n", DEV, "what is stored in rabbitmq-data is lost", id="a volume"),
        pytest.param(DEV + "  enableLobby: false\n", DEV, "people wait in a lobby", id="a lobby"),
        pytest.param(PROD, PROD + "  turnRelayPorts: 50000-50009\n", "calls that go through TURN break off", id="TURN"),
        pytest.param(
            DEV + f"  docker:context: {{secure: '{SECRET}'}}\n",
            DEV + f"  docker:context: {{secure: '{OTHER}'}}\n",
            "the old containers keep running",
            id="an encrypted context",
        ),
    ],
)
def test_what_a_change_does_to_people_is_named_where_no_setting_says_it(
    take: Take, base: str, head: str, words: str
) -> None:
    (change,) = difference.compare(take(dev=base), take(dev=head))
    assert any(words in one for one in change.people), change.people
    (same,) = difference.compare(take(dev=head), take(dev=head))
    assert same.people == []


def test_of_the_third_parties_only_a_new_one_is_named(take: Take) -> None:
    stun = DEV + "  stunServers: old.other.test:3478"
    (change,) = difference.compare(take(dev=f"{stun}\n"), take(dev=f"{stun},new.other.test:3478\n"))
    (line,) = [one for one in change.people if "a third party" in one]
    assert line.startswith("new.other.test:3478 learn")


def test_what_was_so_before_is_not_named_again(take: Take) -> None:
    before = PROD + "  letsencryptUseStaging: true\n  enableGuests: true\n  stunServers: stun.other.test:3478\n"
    (change,) = difference.compare(take(prod=before), take(prod=before + "  enableClosePage: false\n"))
    assert change.people == ["the page is away for seconds"]


def test_a_warning_that_a_change_ends_is_named(take: Take) -> None:
    (change,) = difference.compare(take(dev=DEV), take(dev=DEV + "  dockerHostAddress: 192.168.1.5\n"))
    assert change.warnings_new == []
    (gone,) = change.warnings_gone
    assert gone.startswith("dockerHostAddress is not set")


def test_what_is_open_in_a_new_stack_is_named_too(take: Take) -> None:
    (change,) = difference.compare(take(), take(dev=DEV + "  enableAuth: false\n  dockerHostAddress: 9.9.9.9\n"))
    assert change.kind == "added"
    assert any("whoever has the URL gets in" in one for one in change.people)


def test_a_change_of_the_program_alone_is_shown_by_what_the_containers_get(take: Take) -> None:
    base = take(prod=PROD)
    head = copy.deepcopy(base)
    head["prod"]["containers"]["web"] |= {"fingerprint": "another", "image": "another/web:1"}
    head["prod"]["containers"]["web"]["environment"]["NEW"] = "1"
    head["prod"]["containers"]["web"]["files"]["/new"] = "hash"
    (change,) = difference.compare(base, head)
    assert change.replaced == ["web"]
    assert "files of web: /new" in change.details
    assert "web, NEW: - → 1" in change.details
    assert any(one.startswith("image of web: ") for one in change.details)
    assert change.people == ["the page is away for seconds"]


def test_what_the_program_registers_otherwise_is_named_though_no_container_has_a_field_for_it(take: Take) -> None:
    web, own = "docker:index/container:Container videobackend-web", "command:local:Command x"
    base = take(prod=PROD)
    base["prod"]["policies"] = {"violations": [], "kept": {}, "resources": {web: {"envs": "a", "image": "a"}}}
    head = copy.deepcopy(base)
    head["prod"]["policies"]["resources"] = {web: {"envs": "a", "image": "a", "dns": "b"}, own: {}}
    (change,) = difference.compare(base, head)
    assert change.kind == "changed"
    assert "dns of docker:index/container:Container: web" in change.details
    assert "resource command:local:Command added: x" in change.details
    (same,) = difference.compare(base, copy.deepcopy(base))
    assert same.kind == "same"


@pytest.mark.parametrize("base", [DEV, None], ids=["to a stack", "in a new one"])
def test_values_that_no_review_sees_are_named(take: Take, base: str | None) -> None:
    head = take(dev=f"{DEV}environment:\n  - team/other\n")
    (change,) = difference.compare(take(dev=base) if base else take(), head)
    assert any('environment - → ["team/other"]' in one for one in change.details)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Pulumi.yaml", "where the state is"),
        ("requirements.txt", "beside the secrets"),
        ("requirements/engine.txt", "beside the secrets"),
        ("policies/uv.lock", "beside the secrets"),
        ("policies/rules.py", "what was refused may pass"),
        (".github/workflows/deploy.yml", "guards this change"),
        (".gitlab-ci.yml", "guards this change"),
        ("ops/ready.py", "guards this change"),
        ("__main__.py", "the engine may run it otherwise"),
        ("components/a\nb.py", "the engine may run it otherwise"),
        ("Pulumi.prod.yaml", ""),
        ("docs/settings.md", ""),
        ("tests/ops/test_review.py", ""),
    ],
)
@pytest.mark.parametrize("layout", [text.as_terminal, text.as_markdown], ids=["terminal", "markdown"])
def test_what_decides_for_all_stacks_is_named_though_none_changes(
    layout: Callable[..., str], path: str, words: str
) -> None:
    shown = html.unescape(layout("main", [difference.Change("dev", "same")], beside.named([path])))
    lines = shown.splitlines()
    assert lines[0].startswith("No stack changes")
    assert words in shown
    assert len(lines) == (3 if words else 1)


def test_jvb_and_jicofo_follow_a_new_prosody_as_in_the_engine(take: Take) -> None:
    base = take(prod=PROD)
    head = copy.deepcopy(base)
    head["prod"]["containers"]["prosody"]["fingerprint"] = "another"
    (change,) = difference.compare(base, head)
    assert set(change.replaced) == {"prosody", "jvb", "jicofo"}


def test_a_restart_policy_is_changed_in_place_and_hurts_nobody(take: Take) -> None:
    (change,) = difference.compare(take(prod=PROD), take(prod=PROD + "  restartPolicy: always\n"))
    assert change.replaced == []
    assert change.in_place
    assert change.people == []


def test_the_order_of_a_file_its_comments_and_quotes_are_no_change(take: Take) -> None:
    head, *config = PROD.splitlines()
    reordered = "\n".join([config[0], "  # a comment", *reversed(config[1:]), head]).replace("80", '"80"')
    assert text.as_terminal("main", difference.compare(take(prod=PROD), take(prod=reordered))) == (
        "No stack changes against main."
    )


def test_a_refused_stack_stands_on_top_with_its_message(take: Take) -> None:
    changes = difference.compare(take(a=PROD, z=PROD), take(a=_set("", "enableLobby: false"), z=_set("", "httpPrt: 1")))
    assert [one.stack for one in changes] == ["z", "a"]
    shown = text.as_terminal("main", changes)
    assert "z: REFUSED" in shown
    assert "did you mean httpPort?" in shown


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("lobby", {"prod": _set("", "enableLobby: false"), "dev": DEV}),
        ("jwt_secret", {"prod": PROD.replace(SECRET, OTHER, 1), "dev": DEV}),
        ("removed", {"dev": DEV}),
    ],
)
def test_the_review_reads_well(take: Take, golden: Callable[[str, str], None], name: str, head: dict[str, str]) -> None:
    changes = difference.compare(take(prod=PROD, dev=DEV), take(**head))
    shown = text.as_terminal("main", changes)
    golden(f"review_{name}.txt", shown + "\n")
    golden(f"review_{name}.md", text.as_markdown("main", changes) + "\n")
    assert len(shown.splitlines()) <= 25


def test_json_has_every_stack(take: Take) -> None:
    found = json.loads(text.as_json("main", difference.compare(take(prod=PROD), take(dev=DEV))))
    assert {one["stack"]: one["kind"] for one in found["stacks"]} == {"prod": "removed", "dev": "added"}


HOSTILE: Final = (
    "`",
    "```\n# heading",
    "<img src=x onerror=alert(1)>",
    "-->",
    "@everyone",
    "#1",
    "[a](javascript:alert(1))",
    "https://evil.test",
    "www.evil.test",
    "**bold**",
    "| a | b |",
    "\x1b[31mred",
    "\u202egnp.exe",
    "$(id)",
    "${{ github.token }}",
    "::set-output name=a::b",
    "&lt;b&gt;",
    "</details>",
    "x` <img src=x> `x",
    "x`` <img src=x> ` @all ``x",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_or_value_becomes_markup_or_a_line(hostile: str) -> None:
    change = difference.Change(
        hostile,
        "refused",
        settings=[(hostile, hostile, hostile)],
        details=[hostile],
        people=[hostile],
        warnings_new=[hostile],
        refused=hostile,
    )
    plain = text.as_markdown("main", [difference.Change("x", "refused", **_harmless())])
    shown = text.as_markdown("main", [change])
    lines = len(shown.splitlines()) - len([one for one in hostile.splitlines() if one.strip()])
    assert lines == len(plain.splitlines()) - 1, "a value made another line"
    outside = _without_code(shown)
    for mark in ("<", "@", "[", "www.", "://", "\x1b", "\u202e", "$("):
        assert mark not in outside, shown
    assert not re.search(r"\*\*bold|(?<!&)#\d", outside)
    assert not re.search(r"[@#]\w", html.unescape(outside)), "a mention by GitHub's second look"


def _harmless() -> dict[str, Any]:
    return {
        "settings": [("x", "x", "x")],
        "details": ["x"],
        "people": ["x"],
        "warnings_new": ["x"],
        "refused": "x",
    }


def _without_code(markdown: str) -> str:
    """What stands outside of code spans (CommonMark 6.1)."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", markdown)


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on PATH")
def test_a_revision_that_is_none_says_what_to_do() -> None:
    from ops.review import revisions

    with pytest.raises(OpsError, match="there is no revision"):
        revisions.run("--no-such-revision", form="terminal")
