"""The policy pack on the real engine: a sound stack passes, and each rule that is broken is named and stops the preview.

Cloudflare's plugin is not asked: a component of the same type stands in for the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from ops import environment
from ops.environment import POLICIES, SetupError
from policies.rules import RULES
from tests.engine.conftest import WorkspaceMaker
from tests.engine.workspace import Run, Workspace
from tests.policies import breaches

PACK: Final = ("--policy-pack", "policies", "--suppress-outputs")
MANDATORY: Final = {rule.name for rule in RULES if rule.level == "mandatory"}
RECORD: Final = """

class _Record(pulumi.ComponentResource):
    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions, **inputs: object) -> None:
        super().__init__("cloudflare:index/dnsRecord:DnsRecord", resource_name, inputs, opts)
"""


@pytest.fixture(scope="module")
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack's environment, kept for the next run."""
    cache = request.config.cache
    folder = (cache.mkdir("engine") if cache else tmp_path_factory.mktemp("cache")) / "venv-policies"
    try:
        environment.install(folder, [POLICIES])
    except SetupError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def sound(make_workspace: WorkspaceMaker, pack: Path) -> Workspace:
    workspace = make_workspace(imageRegistry="ghcr.io/jitsi")
    (workspace.project / ".venv-policies").symlink_to(pack)
    return workspace


@pytest.fixture(scope="module")
def broken(sound: Workspace) -> Run:
    """The preview of the same stack with every rule broken."""
    breaches.apply(sound.project)
    dns = sound.project / "components/resources/dns.py"
    text = dns.read_text(encoding="utf-8")
    text = text.replace("import pulumi_cloudflare as cloudflare\n", "").replace("cloudflare.DnsRecord(", "_Record(")
    dns.write_text(text + RECORD, encoding="utf-8")
    sound.keep_secret({"cloudflare:apiToken": "cloudflare-api-token-0123456789abcdefghij"})
    sound.write(
        **breaches.CONFIG,
        dnsZoneId="0123456789abcdef0123456789abcdef",
        httpPort=80,
        httpsPort=443,
        letsencryptEmail=None,
    )
    return sound.preview(*PACK)


def told(run: Run) -> set[tuple[str, str]]:
    """Level and rule of each violation that the engine shows."""
    found = set()
    for line in run.text.splitlines():
        words = line.split()
        if words[:1] == ["-"] and len(words) > 2 and words[1] in ("[mandatory]", "[advisory]"):
            found.add((words[1].strip("[]"), words[2]))
    return found


def test_a_sound_stack_breaks_no_mandatory_rule(sound: Workspace) -> None:
    run = sound.preview(*PACK)
    assert run.code == 0, run.text
    assert told(run) == {("advisory", "image-digest")}, run.text


def test_each_broken_rule_stops_the_preview_or_says_so_as_its_level_has_it(broken: Run) -> None:
    assert broken.code != 0
    assert told(broken) == {(rule.level, rule.name) for rule in RULES}, broken.text


def test_each_says_what_is_wrong(broken: Run) -> None:
    missing = {rule: words for rule, words in breaches.BROKEN.items() if words not in broken.text}
    assert missing == {}, broken.text


def test_no_secret_reaches_a_message_of_the_pack(broken: Run) -> None:
    """The plain one that breaks a rule is named by its variable alone."""
    assert "the-one-of-the-old-host" not in broken.text.partition("Policies:")[2].partition("Outputs:")[0]
