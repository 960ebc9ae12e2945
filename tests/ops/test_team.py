"""A repository's settings: looked at, made in the order in which nothing runs unguarded, and made once."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

import pytest
import yaml

from ops.github import deploy, team
from ops.project import stackfile
from ops.unattended import __main__ as unattended_main

OPTIONS: Final = ["--repository", "o/r", "--stack", "staging", "--stack", "prod", "--reviewer", "ada"]


class GitHub:
    """Settings by path; those that are made are there afterwards."""

    def __init__(self) -> None:
        self.there: dict[str, Any] = {"/users/ada": {"id": 42}, "/repos/o/r/rulesets": []}
        self.changes: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, content: Mapping[str, Any] | None) -> Any:
        if method == "GET":
            if path not in self.there:
                raise LookupError(path)
            return self.there[path]
        self.changes.append((method, path, content))
        if path.endswith("/rulesets"):
            self.there[path].append(content)
        elif method == "PUT" and "/environments/" in path:
            rules = [{"type": "required_reviewers"}] if content and content["reviewers"] else []
            self.there[path] = {**(content or {}), "protection_rules": rules}
        else:
            self.there[path] = content
        return None

    def secret(self, environment: str, name: str) -> None:
        self.there[f"/repos/o/r/environments/{environment}/secrets"] = {"secrets": [{"name": name}]}


def test_a_look_changes_nothing_and_says_what_is_missing_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    github = GitHub()
    assert team.main(OPTIONS, github.call) == 1
    assert github.changes == []
    said = capsys.readouterr().out
    assert "there:" not in said
    order = ["only read", "main takes reviewed", "environment staging-preview", "environment prod,", "PULUMI_STACKS is"]
    places = [said.index(one) for one in order]
    assert places == sorted(places), "the workflows are switched on last"
    assert "environment prod, for main alone, after an approval by ada" in said


def test_it_makes_what_is_missing_once_and_never_touches_what_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    github = GitHub()
    assert team.main([*OPTIONS, "--apply"], github.call) == 1, "secrets and what needs them are left to do"
    said = capsys.readouterr().out
    assert "gh secret set PULUMI_BACKEND_URL --repo o/r --env prod-drift" in said
    made = {path: content for method, path, content in github.changes if method == "PUT" and "/environments/" in path}
    assert made["/repos/o/r/environments/prod"]["reviewers"] == [{"type": "User", "id": 42}]
    assert made["/repos/o/r/environments/prod-drift"]["reviewers"] == []
    assert made["/repos/o/r/environments/prod-preview"]["deployment_branch_policy"] is None
    assert ("POST", "/repos/o/r/environments/prod/deployment-branch-policies", {"name": "main"}) in github.changes
    for stack in ("staging", "prod"):
        for kind in ("", "-preview", "-drift"):
            github.secret(f"{stack}{kind}", "PULUMI_ACCESS_TOKEN")
    github.there["/repos/o/r/actions/variables/PULUMI_STACKS"] = {
        "name": "PULUMI_STACKS",
        "value": '["staging", "prod"]',
    }
    github.changes.clear()
    assert team.main([*OPTIONS, "--apply"], github.call) == 0
    assert github.changes == []
    assert "missing" not in capsys.readouterr().out


def test_an_environment_that_is_there_without_its_guard_will_not_do() -> None:
    github = GitHub()
    team.main([*OPTIONS, "--apply"], github.call)
    github.there["/repos/o/r/environments/prod"] = {"protection_rules": [], "deployment_branch_policy": None}
    github.changes.clear()
    team.main([*OPTIONS, "--apply"], github.call)
    assert [path for _, path, _ in github.changes] == [
        "/repos/o/r/environments/prod",
        "/repos/o/r/environments/prod/deployment-branch-policies",
    ]


def test_without_a_way_to_github_it_prints_commands_that_a_shell_takes_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert team.main(OPTIONS, None) == 1
    commands = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("     ")]
    assert len(commands) > 10
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "gh"
        if "<<<" in words:
            json.loads(words[words.index("<<<") + 1])


def test_the_required_checks_are_jobs_of_the_workflows_on_pull_requests() -> None:
    names = set()
    for name in ("ci", "plan"):
        jobs = yaml.safe_load((stackfile.ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
        for job in jobs.values():
            pythons = job.get("strategy", {}).get("matrix", {}).get("python", [""])
            names |= {re.sub(r"\$\{\{ matrix.python \}\}", one, job["name"]) for one in pythons}
    assert names == set(team.REQUIRED_CHECKS)
    assert (stackfile.ROOT / deploy.CHECKS).is_file()


def test_gitlab_runs_the_same_modules_with_options_that_they_take_for_what_a_stack_is_made_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = yaml.safe_load((stackfile.ROOT / ".gitlab-ci.yml").read_text())
    commands = [words for job in jobs.values() if "script" in job and "unattended" in (words := job["script"])]
    seen = []
    for command in commands:
        words = shlex.split(command.replace("$STACK", "prod"))
        assert words[:3] == ["python3", "-m", "ops.unattended"]
        unattended_main.main([*words[3:], "--out", "/dev/null"], {"PULUMI_BACKEND_URL": ""})
        seen.append(words[3])
    assert sorted(seen) == ["drift", "preview", "preview", "up"]
    changes = jobs["foreseen"]["rules"][0]["changes"]
    assert all(deploy._makes(one.replace("$STACK", "prod"), "prod") for one in changes)
    assert {"__main__.py", "Pulumi.yaml", "components/**/*", "prosody/**/*"} <= set(changes)
