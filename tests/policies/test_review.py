"""Each rule broken once in the program and the stack file: the review names them all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from ops.project.stackfile import ROOT
from ops.review import difference, snapshot, text
from policies.rules import RULES
from tests.policies import breaches

COPIED = ("components", "ops", "policies", "prosody")


def read(tree: Path) -> dict[str, dict[str, object]]:
    """A revision as the review reads it."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, snapshot.__file__, str(tree)]
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    stacks: dict[str, dict[str, object]] = json.loads(run.stdout)
    return stacks


def test_a_change_that_breaks_every_rule_has_each_of_them_named(tmp_path: Path) -> None:
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "Pulumi.staging.yaml").write_text(yaml.safe_dump({"config": breaches.CONFIG}))
    breaches.apply(tmp_path)
    (change,) = difference.compare({}, read(tmp_path))
    told = change.rules_broken
    assert change.kind == "added", change.refused
    missing = {
        rule: words
        for rule, words in breaches.BROKEN.items()
        if not any(one.startswith(f"{rule} (") and words in one for one in told)
    }
    assert missing == {}, told
    assert set(breaches.BROKEN) == {rule.name for rule in RULES}
    assert change.must_not_be
    assert "breaks the rule: privileges (mandatory): " in text.as_terminal("main", [change])


def test_what_is_made_anew_or_broken_by_the_change_alone_is_named() -> None:
    broken = {"rule": "care", "level": "mandatory", "resource": "videobackend-web", "text": "has no memory limit"}
    nothing = {"violations": [], "kept": {"videobackend-prosody-data": {"name": "a"}}}
    old = {"policies": nothing}
    new = {"policies": {"violations": [broken], "kept": {"videobackend-prosody-data": {"name": "b"}}}}
    assert difference._broken(old, new) == [
        "care (mandatory): web: has no memory limit",
        "kept (mandatory): prosody-data: is replaced, and what it holds is lost",
    ]
    assert difference._broken({}, old) == []
