"""The workflows' steps, in order as the runner would run them, against GitHub's API on loopback and an engine of the test's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.github import comment, deploy
from ops.review.difference import Change
from ops.unattended.stack import Done
from tests.ops.standin import BOT, Repository, served
from tests.ops.test_ready import SOUND
from tests.ops.test_review import HOSTILE, _without_code
from tests.ops.world import BAD, CI_RUN, HEAD, OLD, SECRET, STEP, URN, World, results


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


@pytest.mark.parametrize(
    ("last", "passes"),
    [
        pytest.param(HEAD, True, id="it works there"),
        pytest.param(OLD, False, id="its job was cancelled, or failed"),
        pytest.param(None, False, id="it was never deployed there"),
    ],
)
def test_a_stack_waits_for_those_before_it_whatever_becomes_of_their_jobs(last: str | None, passes: bool) -> None:
    def call(_method: str, path: str, _content: object) -> list[dict[str, str]]:
        if "/statuses" in path:
            return [{"state": "success"}]
        return [{"id": "1", "sha": last}] if last else []

    with contextlib.nullcontext() if passes else pytest.raises(deploy.NotDeployableError, match="comes before prod"):
        deploy.check_before(call, "o/r", HEAD, "prod", ["staging", "prod"])
    deploy.check_before(call, "o/r", HEAD, "staging", ["staging", "prod"])
