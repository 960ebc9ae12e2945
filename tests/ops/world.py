"""A repository on the stand-in, with an engine of the test's and the workflows' runner."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from ops import ready
from ops.errors import OpsError
from ops.github import __main__ as github_main
from ops.github import pull_request
from ops.project import stackfile
from ops.review import text
from ops.review.difference import Change
from ops.unattended import __main__ as unattended_main
from ops.unattended import plans
from ops.unattended import stack as unattended_stack
from ops.unattended.login import SECRETS
from ops.unattended.stack import Done
from ops.verify import report
from ops.verify.result import Result, failed, ok
from tests.ops.actions import Job, Runner
from tests.ops.standin import Repository
from tests.ops.test_ready import DEPLOYED, LOCKED, SOUND

OLD: Final = "a" * 40
HEAD: Final = "b" * 40
CI_RUN: Final = {
    "id": 1,
    "name": "CI",
    "path": ".github/workflows/ci.yml",
    "event": "push",
    "head_sha": HEAD,
    "status": "completed",
    "conclusion": "success",
}
URN: Final = "urn:pulumi:prod::videobackend::videobackend:index:VideoBackend$docker:index/container:Container::"
STEP: Final = {"op": "replace", "urn": f"{URN}videobackend-web", "replaceReasons": ["envs"]}
GOOD: Final = {"page": ok("it is there")}
BAD: Final = {**GOOD, "bridge": failed("no bridge answers", "look at jvb")}
SECRET: Final = "s3cret-passphrase"


class Engine:
    """What `ready`, the Pulumi CLI and `verify` answer, and what they were asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: dict[str, list[Any]] = {}
        self.fails: dict[tuple[str, str], Done] = {}
        self.checks: dict[str, Mapping[str, Result]] = {}
        self.changes: list[Change] = []
        self.broken: set[str] = set()
        self.judges = False
        """Whether `ready` looks at the stack files, which takes a moment."""
        self.done: list[str] = []

    def call(self, command: Sequence[str], environ: Mapping[str, str]) -> Done:
        stack = command[command.index("--stack") + 1]
        word = command[1] if command[0] == "pulumi" else "ready" if "ready" in command else "verify"
        self.done.append(f"{word} {stack}")
        assert environ["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
        assert "VARS" not in environ
        if (word, stack) in self.fails:
            return self.fails[word, stack]
        if word == "ready":
            return self._ready(stack, environ) if self.judges else Done(0, "", "")
        if word == "preview":
            always = "refresh" if "--refresh" in command else "same"
            return Done(0, json.dumps({"steps": [*self.steps.get(stack, []), {"op": always, "urn": f"{URN}x"}]}), "")
        if word == "verify":
            checks = self.checks.get(stack, GOOD)
            page: Any = SimpleNamespace(origin="https://video.test")
            return Done(int(checks is BAD), report._as_json(stack, page, checks, 1.0), "")
        return Done(0, "done", "")

    def plans(self, command: Sequence[str], environ: Mapping[str, str]) -> Done:
        assert not [name for name in environ if name in SECRETS or "TOKEN" in name], "a stranger's code runs here"
        if "ops.environment" in command:
            return Done(0, "", "")
        if "review" in command:
            refused = any(one.kind == "refused" for one in self.changes)
            return Done(int(refused), text.as_json("HEAD^1", self.changes), "")
        stack = command[command.index("--stack") + 1]
        return Done(int(stack in self.broken), f"plan of {stack}", "")

    def _ready(self, stack: str, environ: Mapping[str, str]) -> Done:
        try:
            found = ready.find_obstacles(stack, self.root, {**environ, "CI": "true"}, lambda _: DEPLOYED, found=LOCKED)
        except OpsError as error:
            found = [str(error)]
        return Done(int(bool(found)), "", "".join(f"error: {one}\n" for one in found))


class World:
    """A repository with its settings, and a runner."""

    def __init__(self, tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        self.repository = repository
        self.root = tmp_path / "root"
        self.root.mkdir()
        for name in ("Pulumi.yaml", "requirements.txt"):
            shutil.copy(stackfile.ROOT / name, self.root)
        shutil.copytree(stackfile.ROOT / "requirements", self.root / "requirements")
        self.variables: dict[str, str] = {}
        self.secrets: dict[str, Mapping[str, str]] = {}
        self.engine = Engine(self.root)
        monkeypatch.setattr(unattended_stack, "_PAUSE", 0)
        self.runner = Runner(
            tmp_path,
            {
                "ops.environment": lambda *_: 0,
                "ops.unattended.tools": lambda *_: 0,
                "ops.unattended.plans": lambda words, environ: plans.main(words, environ, self.engine.plans, self.root),
                "ops.unattended": lambda words, environ: unattended_main.main(words, environ, self.engine.call),
                "ops.github": self._github,
            },
            environ={
                "GITHUB_API_URL": repository.address,
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_RUN_ID": "9",
                "GITHUB_SHA": HEAD,
                "RUNNER_ENVIRONMENT": "github-hosted",
                "PATH": "/usr/bin:/bin",
            },
            variables=self.variables,
            secrets=self.secrets,
            chdir=monkeypatch.chdir,
        )
        self.stacks("staging", "prod")

    def _github(self, words: list[str], environ: Mapping[str, str]) -> int:
        return github_main.main(words, environ, pull_request.api(environ["GITHUB_API_URL"], environ["GITHUB_TOKEN"]))

    def stacks(self, *names: str) -> None:
        """These stacks, in this order, each with its file and its environments."""
        self.variables["PULUMI_STACKS"] = json.dumps(names)
        for name in names:
            if "/" not in name and "\n" not in name:
                (self.root / f"Pulumi.{name}.yaml").write_text(SOUND)
            for environment in (name, f"{name}-preview", f"{name}-drift"):
                self.secrets[environment] = {"PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE": SECRET}

    def preview(self, *, fork: bool = False, login: str = "someone") -> dict[str, Job]:
        """A pull request is opened, or gets another commit."""
        pull = {
            "number": 7,
            "head": {"sha": HEAD, "ref": "topic", "repo": {"full_name": "fork/r" if fork else "o/r"}},
            "user": {"login": login},
        }
        return self.runner.run("preview", "pull_request", {"pull_request": pull})

    def plan(self, *, left: bool = True) -> dict[str, Job]:
        """A pull request from a fork, and what follows the run for it."""
        jobs = self.runner.run("plan", "pull_request", {"pull_request": {"number": 7}})
        if not left:
            shutil.rmtree(self.runner.directory / "artefacts" / "plan")
        self.repository.pulls = [{"number": 7, "head": {"sha": HEAD}, "base": {"ref": "main"}}]
        run = {
            "event": "pull_request",
            "head_sha": HEAD,
            "head_branch": "topic",
            "head_repository": {"id": 5, "owner": {"login": "fork"}},
            "html_url": "https://github.com/o/r/actions/runs/8",
            "conclusion": jobs["plan"].result,
        }
        assert results(self.runner.run("plan-comment", "workflow_run", {"workflow_run": run})) == {"comment": "success"}
        return jobs

    def deploy(self, commit: str = HEAD) -> dict[str, Job]:
        """CI is done for a commit on main."""
        run = {"event": "push", "head_sha": commit, "head_repository": {"full_name": "o/r"}}
        return self.runner.run("deploy", "workflow_run", {"workflow_run": run}, ref="refs/heads/main")

    def drift(self) -> dict[str, Job]:
        """It is night."""
        return self.runner.run("drift", "schedule", {}, ref="refs/heads/main")

    @property
    def comment(self) -> str:
        (one,) = self.repository.comments
        return str(one["body"])


def results(jobs: Mapping[str, Job]) -> dict[str, str]:
    return {name: one.result for name, one in jobs.items()}
