"""The workflows' steps, in order as the runner would run them, against GitHub's API on loopback and an engine of the test's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from ops import ready
from ops.errors import OpsError
from ops.github import __main__ as github_main
from ops.github import comment, pull_request
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
from tests.ops.standin import BOT, Repository, served
from tests.ops.test_ready import DEPLOYED, LOCKED, SOUND
from tests.ops.test_review import HOSTILE, _without_code

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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with served(Repository(runs=[dict(CI_RUN)])) as repository:
        yield World(tmp_path, repository, monkeypatch)


def test_a_pull_request_of_the_teams_gets_one_comment_with_what_the_engine_foresees(
    world: World, golden: Callable[[str, str], None]
) -> None:
    world.engine.steps["prod"] = [STEP]
    for _ in range(2):
        assert set(results(world.preview()).values()) == {"success"}
    golden("preview-comment.md", world.comment + "\n")


def test_a_pull_request_of_dependabots_is_previewed_and_says_where_its_secrets_are_missing(world: World) -> None:
    world.runner.environ = {**world.runner.environ, "GITHUB_ACTOR": "dependabot[bot]"}
    assert results(world.preview(login="dependabot[bot]"))["preview prod"] == "success"
    world.secrets.clear()
    assert results(world.preview(login="dependabot[bot]"))["comment"] == "success"
    assert "is among Dependabot's secrets" in world.comment


def test_a_fork_gets_no_secret_and_no_preview(world: World) -> None:
    assert set(results(world.preview(fork=True)).values()) == {"skipped"}
    assert world.engine.done == []
    assert world.repository.comments == []


def test_a_forks_pull_request_gets_the_review_with_what_is_refused_removed_and_added(world: World) -> None:
    world.engine.changes = [
        Change("prod", "refused", refused="jvbPort: 70000"),
        Change("staging", "removed", people=["its containers keep running"]),
        *(Change(f"new{number}", "added", added=["web"]) for number in range(40)),
        *(Change(one, "changed", settings=[(one, one, one)]) for one in HOSTILE),
    ]
    world.engine.broken = {"prod"}
    assert results(world.plan()) == {"plan": "failure"}
    shown = world.comment
    assert (
        shown.index("`prod`: REFUSED")
        < shown.index("its containers keep running")
        < shown.index("`new39`: a new stack")
    )
    assert "success" not in shown.splitlines()[2]
    assert shown.splitlines()[4].startswith("REFUSED `prod`, REMOVED `staging`, ")
    assert "PASS `new39`" in shown
    assert f"**Review** of `{HEAD}`" in shown
    outside = _without_code(shown)
    assert not [
        mark for mark in ("<img", "@everyone", "](javascript", "evil.test", "\x1b", "**bold") if mark in outside
    ]


def test_a_review_whose_run_failed_before_it_left_anything_replaces_the_older_one(world: World) -> None:
    world.repository.comments = [{"id": 1, "user": BOT, "body": f"{comment.MARK}\nof {OLD}"}]
    world.plan(left=False)
    assert OLD not in world.comment
    assert "There is no review of this commit: the run left none" in world.comment


def test_a_stack_that_is_refused_or_removed_or_cannot_be_previewed_is_first_in_the_comment_with_its_reason(
    world: World,
) -> None:
    world.stacks("added", "broken", "odd", "prod", "removed", "refused")
    world.engine.judges = True
    (world.root / "Pulumi.removed.yaml").unlink()
    (world.root / "Pulumi.refused.yaml").write_text(SOUND + "  videobackend:jvbPort: 70000\n")
    world.engine.steps["added"] = [{"op": "create", "urn": f"{URN}videobackend-web"}]
    failure = {"diagnostics": [{"severity": "error", "message": f"error: no such host\n{SECRET}"}]}
    world.engine.fails["preview", "broken"] = Done(255, json.dumps(failure), "")
    world.engine.fails["preview", "odd"] = Done(1, json.dumps({"steps": [STEP]}), "error: a policy was violated")
    jobs = world.preview()
    assert {name for name, one in jobs.items() if one.result == "failure"} == {
        "preview broken",
        "preview odd",
        "preview removed",
        "preview refused",
    }
    shown = world.comment
    assert "no file Pulumi.removed.yaml" in shown
    assert "70000" in shown
    assert "a policy was violated" in shown
    assert "`error: no such host`" in shown
    assert SECRET not in shown
    assert shown.index("**`refused`: no preview**") < shown.index("**`added`: 1 created**")


def test_a_job_that_left_nothing_is_said_in_place_of_an_older_preview(world: World) -> None:
    world.repository.comments = [{"id": 1, "user": BOT, "body": f"{comment.PREVIEW_MARK}\nold"}]
    world.engine.call = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    world.runner.modules = {**world.runner.modules, "ops.unattended": lambda *_: 1}
    assert results(world.preview())["comment"] == "success"
    assert world.comment.count("its job left nothing that can be shown") == 2
    assert "old" not in world.comment.splitlines()


def test_forty_stacks_with_much_to_say_fit_into_one_comment_and_it_says_what_is_cut(world: World) -> None:
    names = [f"stack{number}" for number in range(40)]
    world.stacks(*names)
    for name in names:
        world.engine.steps[name] = [{**STEP, "replaceReasons": ["x" * 90] * 5, "urn": f"{URN}{n}"} for n in range(10)]
    world.preview()
    assert len(world.comment) <= comment.LIMIT
    assert all(f"`{name}`: 10 replaced" in world.comment for name in names)
    assert "more lines; the run has the whole text" in world.comment


def test_no_name_that_the_engine_says_is_markup_in_the_comment(world: World) -> None:
    world.stacks("prod")
    world.engine.steps["prod"] = [{"op": one, "urn": f"{URN}{one}", "replaceReasons": [one]} for one in HOSTILE]
    world.preview()
    count = len(world.comment.splitlines())
    outside = _without_code(world.comment)
    for mark in ("<img", "@everyone", "](javascript", "www.", "evil.test", "\x1b", "\u202e", "**bold"):
        assert mark not in outside
    world.engine.steps["prod"] = [{"op": "x", "urn": f"{URN}x", "replaceReasons": ["x"]} for _ in HOSTILE]
    world.preview()
    assert len(world.comment.splitlines()) == count, "a name made another line"


def test_a_merge_is_deployed_stack_by_stack_each_verified_before_the_next_and_recorded(world: World) -> None:
    world.engine.steps["prod"] = [STEP]
    jobs = world.deploy()
    assert set(results(jobs).values()) == {"success"}
    assert [one for one in world.engine.done if not one.startswith(("ready", "preview"))] == [
        "up staging",
        "verify staging",
        "up prod",
        "verify prod",
    ]
    assert world.engine.done.index("preview prod") < world.engine.done.index("up staging"), "previews before approvals"
    assert [(one["environment"], one["sha"], one["state"]) for one in world.repository.deployments] == [
        ("prod", HEAD, "success"),
        ("staging", HEAD, "success"),
    ]


def deployed(stack: str, commit: str = OLD, **more: Any) -> dict[str, Any]:
    return {"id": len(stack), "sha": commit, "environment": stack, "task": "videobackend", "state": "success", **more}


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["docs/tls.md", "tests/x.py", "ops/run.py", "README.md", ".github/workflows/ci.yml"], []),
        (["Pulumi.prod.yaml"], ["prod"]),
        (["Pulumi.yaml"], ["staging", "prod"]),
        (["components/stack/images.py"], ["staging", "prod"]),
        (["requirements.txt"], ["staging", "prod"]),
        (["requirements/dev.txt", "uv.lock"], []),
        (["branding/logo.svg"], ["staging", "prod"]),
        ([f"docs/{number}.md" for number in range(300)], ["staging", "prod"]),
    ],
    ids=lambda one: ",".join(one)[:40] or "none",
)
def test_only_stacks_that_are_made_of_what_changed_are_deployed(
    world: World, files: list[str], chosen: list[str]
) -> None:
    world.repository.deployments = [deployed("prod"), deployed("staging")]
    comparison = {"status": "ahead", "files": [{"filename": one} for one in files]}
    world.repository.compared = {f"{OLD}...{HEAD}": comparison}
    jobs = world.deploy()
    assert [name.removeprefix("up ") for name in jobs if name.startswith("up ")] == chosen


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        pytest.param([], "nobody has checked it", id="no check"),
        pytest.param([{**CI_RUN, "conclusion": "failure"}], "did not pass (failure)", id="red"),
        pytest.param([{**CI_RUN, "status": "in_progress", "conclusion": None}], "is not done", id="running"),
        pytest.param([CI_RUN, {**CI_RUN, "id": 2, "conclusion": "cancelled"}], "did not pass", id="run again, and red"),
        pytest.param([CI_RUN, {**CI_RUN, "path": "x.yml", "conclusion": "failure"}], "did not pass", id="another red"),
    ],
)
def test_a_commit_whose_checks_did_not_pass_is_not_deployed(
    world: World, runs: list[dict[str, Any]], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    world.repository.runs = runs
    jobs = world.deploy()
    assert results(jobs) == {"choose": "failure", "preview": "skipped", "up": "skipped"}
    assert words in capfd.readouterr().err
    assert world.engine.done == []


def test_a_stack_without_its_file_or_with_the_runners_own_docker_is_not_deployed_and_no_other_is(world: World) -> None:
    world.engine.judges = True
    for left in (None, SOUND.replace("  docker:host: ssh://deploy@video.test\n", "")):
        path = world.root / "Pulumi.prod.yaml"
        path.unlink() if left is None else path.write_text(left)
        jobs = world.deploy()
        assert results(jobs)["preview prod"] == "failure"
        assert results(jobs)["up"] == "skipped"
    assert not [one for one in world.engine.done if one.startswith("up")]
    assert "docker:host" in world.runner.summary.read_text()


def test_where_calls_do_not_work_after_the_first_stack_the_next_is_not_touched_and_the_ways_back_are_said(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.engine.checks["staging"] = BAD
    jobs = world.deploy()
    assert (results(jobs)["up staging"], results(jobs)["up prod"]) == ("failure", "cancelled")
    assert "up prod" not in world.engine.done
    assert world.engine.done.count("verify staging") == 3
    assert world.repository.deployments == []
    said = capfd.readouterr().err
    for word in (
        "bridge: no bridge answers; look at jvb",
        "git revert",
        "jitsiRelease",
        "pulumi cancel --stack staging",
    ):
        assert word in said
        assert word.split(":")[0] in world.runner.summary.read_text()


def test_an_up_that_fails_half_way_says_why_and_the_ways_back_without_a_secret(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.engine.fails["up", "staging"] = Done(255, "", f"error: the stack is currently locked by {SECRET}")
    assert results(world.deploy())["up staging"] == "failure"
    said = capfd.readouterr().err
    assert "currently locked by ***" in said
    assert "pulumi cancel" in said
    assert "verify staging" not in world.engine.done


def test_nothing_is_applied_but_what_the_approved_preview_showed(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.stacks("prod")
    real = world.engine.call

    def meanwhile(command: Sequence[str], environ: Mapping[str, str]) -> Done:
        done = real(command, environ)
        if command[:2] == ["pulumi", "preview"]:
            world.engine.steps["prod"] = [STEP]  # somebody destroys a container while this waits for approval
        return done

    world.engine.call = meanwhile  # type: ignore[method-assign]
    assert results(world.deploy())["up prod"] == "failure"
    assert "up prod" not in world.engine.done
    assert "nothing was changed" in capfd.readouterr().err


def test_a_commit_that_waited_for_approval_while_a_newer_one_was_deployed_is_not_applied(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.stacks("prod")
    real = world.engine.call

    def meanwhile(command: Sequence[str], environ: Mapping[str, str]) -> Done:
        world.repository.deployments = [deployed("prod", "c" * 40)]
        world.repository.compared = {f"{'c' * 40}...{HEAD}": {"status": "behind", "files": []}}
        return real(command, environ)

    world.engine.call = meanwhile  # type: ignore[method-assign]
    assert results(world.deploy())["up prod"] == "failure"
    assert "in the meantime" in capfd.readouterr().err
    assert "up prod" not in world.engine.done


def test_a_failed_deployment_is_not_taken_for_the_last(world: World) -> None:
    world.repository.deployments = [deployed("prod", HEAD, state="failure"), deployed("prod", OLD, id=99)]
    world.repository.compared = {f"{OLD}...{HEAD}": {"status": "ahead", "files": [{"filename": "__main__.py"}]}}
    world.stacks("prod")
    assert results(world.deploy())["up prod"] == "success"


def test_drift_is_one_issue_for_each_stack_kept_current_and_closed_when_it_is_gone(world: World) -> None:
    issues = world.repository.issues
    assert set(results(world.drift()).values()) == {"success"}
    assert issues == []
    world.engine.steps["prod"] = [STEP]
    assert results(world.drift())["look prod"] == "failure"
    assert [one["title"] for one in issues] == ["Stack prod is not what was deployed"]
    assert "replaced: `videobackend-web` (`envs`)" in issues[0]["body"]
    world.engine.steps["prod"], world.engine.checks["prod"] = [], BAD
    world.engine.fails["preview", "staging"] = Done(255, "", "error: no route to host")
    world.drift()
    assert [one["title"] for one in issues] == [
        "Stack prod does not work for callers",
        "Stack staging could not be looked at",
    ]
    world.engine.checks.clear()
    world.engine.fails.clear()
    world.drift()
    assert {one["state"] for one in issues} == {"closed"}
    world.engine.steps["prod"] = [STEP]
    world.drift()
    assert len(issues) == 3, "a closed issue is not opened again"


def test_what_no_issue_of_ours_is_is_left_alone(world: World) -> None:
    theirs = {"id": 5, "number": 5, "user": {"login": "someone"}, "body": "<!-- drift of prod -->", "title": "mine"}
    others = [{"id": n, "number": n, "user": BOT, "body": "another", "title": "x"} for n in range(1000, 1120)]
    world.repository.issues = [theirs, *others]
    world.drift()
    assert world.repository.issues == [theirs, *others]
    assert world.repository.comments == []
    world.repository.issues.append(
        {"id": 6, "number": 6, "user": BOT, "body": "<!-- drift of prod -->", "title": "old"}
    )
    world.drift()
    assert world.repository.issues[-1]["state"] == "closed", "on whatever page it is"
