"""Which stacks a commit is deployed to, and the record of it.

Owns three questions, asked of GitHub alone: whether the commit's checks passed, whether something changed that a stack is
made of since it was last deployed, and whether the commit is newer than that. The record is a deployment with a task of
its own: those that GitHub makes for an environment name the newest commit of the branch, not the one that was deployed.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ops.github.pull_request import Call

CHECKS: Final = ".github/workflows/ci.yml"
"""The workflow without which no commit counts as checked."""
_OWN: Final = ".github/workflows/deploy.yml"
_TASK: Final = "videobackend"
_GOOD: Final = ("success", "skipped", "neutral")
_MOST_FILES: Final = 300
"""A comparison names no more (GitHub's REST API, compare two commits)."""
_PASSED_OVER: Final = re.compile(
    r"(?:docs|tests|bench|ops|policies|\.ci|\.github)/.*|[^/]*\.md|requirements/(?!dns).*|uv\.lock|pyproject\.toml"
    r"|Makefile|LICENSE|renovate\.json|stylua\.toml|\.[^/]*"
)
"""Files of which no stack is made. What is not known here counts."""
_STACK_FILE: Final = re.compile(r"Pulumi\.(.+)\.yaml")


class NotDeployableError(Exception):
    """Why a commit must not be deployed."""


def check_passed(call: Call, repository: str, commit: str) -> None:
    """That all workflows which ran for the commit on its branch passed. Raises NotDeployableError."""
    query = urllib.parse.urlencode({"head_sha": commit, "event": "push", "per_page": 100})
    runs = list(call("GET", f"/repos/{repository}/actions/runs?{query}", None)["workflow_runs"])
    newest: dict[str, Mapping[str, Any]] = {}
    for one in sorted(runs, key=lambda one: int(one["id"])):
        newest[one["path"].partition("@")[0]] = one
    newest.pop(_OWN, None)
    if CHECKS not in newest:
        raise NotDeployableError(f"{CHECKS} did not run for {commit}: nobody has checked it")
    for one in newest.values():
        if one["status"] != "completed":
            raise NotDeployableError(
                f"the check {one['name']} of {commit} is not done: start this workflow again after it"
            )
        if one["conclusion"] not in _GOOD:
            raise NotDeployableError(f"the check {one['name']} of {commit} did not pass ({one['conclusion']})")


def choose(call: Call, repository: str, commit: str, stacks: Sequence[str], *, all_of_them: bool) -> list[str]:
    """The stacks to deploy, in their order; a line on each that is left out.

    Args:
        call: GitHub's API.
        repository: OWNER/NAME.
        commit: the commit.
        stacks: those that there are.
        all_of_them: also where nothing changed, as somebody asked for it.
    """
    chosen = []
    for stack in stacks:
        last = last_deployed(call, repository, stack)
        comparison = _compare(call, repository, last, commit) if last else None
        if comparison and comparison["status"] not in ("ahead", "identical"):
            print(f"{stack}: left out, {last} was deployed, and {commit} is not newer")
        elif comparison and not all_of_them and not _touched(comparison, stack):
            print(f"{stack}: left out, nothing that it is made of changed since {last}")
        else:
            chosen.append(stack)
    return chosen


def check_newer(call: Call, repository: str, commit: str, stack: str) -> None:
    """That nothing newer was deployed in the meantime, say while this waited for approval. Raises NotDeployableError."""
    last = last_deployed(call, repository, stack)
    if last and _compare(call, repository, last, commit)["status"] not in ("ahead", "identical"):
        raise NotDeployableError(
            f"{last} was deployed to {stack} in the meantime, and {commit} is not newer: nothing is done"
        )


def check_before(call: Call, repository: str, commit: str, stack: str, chosen: Sequence[str]) -> None:
    """That the stacks which come first have this commit, and work with it. Raises NotDeployableError.

    Args:
        call: GitHub's API.
        repository: OWNER/NAME.
        commit: the commit.
        stack: the one whose turn it is.
        chosen: the stacks of this deploy, in their order.
    """
    for one in chosen[: chosen.index(stack)]:
        if last_deployed(call, repository, one) != commit:
            raise NotDeployableError(
                f"{commit} is not up and verified in {one}, which comes before {stack}: nothing is done"
            )


def last_deployed(call: Call, repository: str, stack: str) -> str | None:
    """The commit that was deployed last, as far as it is recorded."""
    query = urllib.parse.urlencode({"environment": stack, "task": _TASK, "per_page": 30})
    for one in call("GET", f"/repos/{repository}/deployments?{query}", None):
        states = call("GET", f"/repos/{repository}/deployments/{one['id']}/statuses?per_page=1", None)
        if states and states[0]["state"] in ("success", "inactive"):
            return str(one["sha"])
    return None


def record(call: Call, repository: str, commit: str, stack: str, url: str) -> None:
    """Notes that the commit is deployed to the stack, and works."""
    content = {
        "ref": commit,
        "environment": stack,
        "task": _TASK,
        "auto_merge": False,
        "required_contexts": [],
        "description": "up and verified",
    }
    made = call("POST", f"/repos/{repository}/deployments", content)
    call("POST", f"/repos/{repository}/deployments/{made['id']}/statuses", {"state": "success", "log_url": url})


def _compare(call: Call, repository: str, base: str, head: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = call("GET", f"/repos/{repository}/compare/{base}...{head}", None)
    return found


def _touched(comparison: Mapping[str, Any], stack: str) -> bool:
    files = comparison.get("files") or []
    names = [name for one in files for name in (one["filename"], one.get("previous_filename")) if name]
    return len(files) >= _MOST_FILES or any(_makes(name, stack) for name in names)


def _makes(name: str, stack: str) -> bool:
    """Whether the stack is made of this file, too."""
    if match := _STACK_FILE.fullmatch(name):
        return match[1] == stack
    return not _PASSED_OVER.fullmatch(name)
