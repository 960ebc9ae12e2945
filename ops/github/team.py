"""`python3 -m ops.github.team`: what a repository on GitHub needs before its workflows may touch a stack.

Owns the list, in the order in which nothing runs before its guards are there: rules of the branch, environments, secrets,
and last the variable that switches the workflows on. Looks first, and changes nothing without --apply; what it cannot do
by itself (values of secrets) or may not (no `gh` here) it prints as commands. docs/team.md explains each step.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ops.github.pull_request import Call

REQUIRED_CHECKS: Final = (
    "Lint and tests",
    "Lock and exports agree",
    "Default tests on Python 3.11",
    "Default tests on Python 3.12",
    "Default tests on Python 3.13",
    "Default tests on Python 3.14",
    "make plan",
)
"""Names of the jobs that every pull request has to pass."""
RULES: Final = "videobackend: main"


@dataclass(frozen=True)
class Step:
    """One thing that has to be there.

    Args:
        said: what it is.
        path: where GitHub says whether it is there.
        holds: whether that answer will do; the answer is None where there is nothing.
        changes: calls that make it so; none where only somebody who knows a secret can.
        by_hand: the command, for whoever does it.
    """

    said: str
    path: str
    holds: Callable[[Any], bool]
    changes: tuple[tuple[str, str, Mapping[str, Any]], ...] = ()
    by_hand: str = ""

    @property
    def commands(self) -> list[str]:
        """What to type, one line each."""
        if self.by_hand:
            return [self.by_hand]
        return [
            f"gh api -X {method} {shlex.quote(path.lstrip('/'))} --input - <<< {shlex.quote(json.dumps(body))}"
            for method, path, body in self.changes
        ]


def steps(repository: str, stacks: Sequence[str], reviewers: Sequence[tuple[str, int]]) -> Iterator[Step]:
    """All of them in their order.

    Args:
        repository: OWNER/NAME.
        stacks: in the order of their deploys.
        reviewers: login and id of whoever approves a deploy.
    """
    base = f"/repos/{repository}"
    workflow = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
    path = f"{base}/actions/permissions/workflow"
    yield Step(
        "workflows may only read unless they say otherwise",
        path,
        lambda found: _has(found, workflow),
        (("PUT", path, workflow),),
    )
    yield _rules(base)
    for stack in stacks:
        for kind, main_only, people in (("-preview", False, ()), ("-drift", True, ()), ("", True, reviewers)):
            yield _environment(base, f"{stack}{kind}", main_only=main_only, reviewers=people)
            yield _secrets(base, repository, f"{stack}{kind}")
    value = json.dumps(list(stacks))
    variables = f"{base}/actions/variables"
    content = {"name": "PULUMI_STACKS", "value": value}
    yield Step(
        f"PULUMI_STACKS is {value}, which switches the workflows on",
        f"{variables}/PULUMI_STACKS",
        lambda found: _has(found, content),
        by_hand=f"gh variable set PULUMI_STACKS --repo {repository} --body {shlex.quote(value)}",
    )


def _rules(base: str) -> Step:
    checks = [{"context": one} for one in REQUIRED_CHECKS]
    content = {
        "name": RULES,
        "target": "branch",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [
            {"type": "deletion"},
            {"type": "non_fast_forward"},
            {
                "type": "pull_request",
                "parameters": {
                    "required_approving_review_count": 1,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": False,
                    "require_last_push_approval": True,
                    "required_review_thread_resolution": False,
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {"strict_required_status_checks_policy": True, "required_status_checks": checks},
            },
        ],
    }
    path = f"{base}/rulesets"
    return Step(
        "main takes reviewed pull requests that passed the checks, and nothing else",
        path,
        lambda found: any(one["name"] == RULES and one["enforcement"] == "active" for one in found or []),
        (("POST", path, content),),
    )


def _environment(base: str, name: str, *, main_only: bool, reviewers: Sequence[tuple[str, int]]) -> Step:
    path = f"{base}/environments/{urllib.parse.quote(name, safe='')}"
    policy = {"protected_branches": False, "custom_branch_policies": True} if main_only else None
    content = {
        "reviewers": [{"type": "User", "id": number} for _, number in reviewers],
        "deployment_branch_policy": policy,
    }
    changes: tuple[tuple[str, str, Mapping[str, Any]], ...] = (("PUT", path, content),)
    if main_only:
        changes += (("POST", f"{path}/deployment-branch-policies", {"name": "main"}),)

    def holds(found: Any) -> bool:
        if found is None:
            return False
        rules = [one["type"] for one in found.get("protection_rules") or []]
        return (not main_only or bool(found.get("deployment_branch_policy"))) and (
            not reviewers or "required_reviewers" in rules
        )

    who = f", after an approval by {', '.join(login for login, _ in reviewers)}" if reviewers else ""
    return Step(f"environment {name}{', for main alone' if main_only else ''}{who}", path, holds, changes)


def _secrets(base: str, repository: str, name: str) -> Step:
    """That there is a log-in. Which of the others a stack needs, its own stack file says (docs/team.md)."""
    return Step(
        f"environment {name} has the secret PULUMI_BACKEND_URL or PULUMI_ACCESS_TOKEN",
        f"{base}/environments/{urllib.parse.quote(name, safe='')}/secrets",
        lambda found: bool(
            {"PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN"} & {one["name"] for one in (found or {}).get("secrets", [])}
        ),
        by_hand=f"gh secret set PULUMI_BACKEND_URL --repo {repository} --env {shlex.quote(name)}",
    )


def _has(found: Any, wanted: Mapping[str, Any]) -> bool:
    return found is not None and all(found.get(key) == value for key, value in wanted.items())


def run(repository: str, stacks: Sequence[str], logins: Sequence[str], call: Call | None, *, apply: bool) -> int:
    """Says of each step whether it is there, and does it with `apply`; 0 where all is there, 1 where something is missing.

    Args:
        repository: OWNER/NAME.
        stacks: in the order of their deploys.
        logins: who approves deploys.
        call: GitHub's API; None where there is no way to it, which leaves the list.
        apply: do what can be done.
    """
    reviewers = [(login, _asked(call, f"/users/{login}")["id"] if call else 0) for login in logins]
    missing = 0
    for number, step in enumerate(steps(repository, stacks, reviewers), 1):
        if call is not None and step.holds(_asked(call, step.path)):
            print(f"{number}. there: {step.said}")
            continue
        if call is not None and apply and step.changes:
            for method, path, content in step.changes:
                call(method, path, content)
            print(f"{number}. made: {step.said}")
            continue
        missing += 1
        print(f"{number}. {'missing' if call else 'to do'}: {step.said}")
        for command in step.commands:
            print(f"     {command}")
    return 1 if missing else 0


def _asked(call: Call, path: str) -> Any:
    try:
        return call("GET", path, None)
    except LookupError:
        return None


def by_gh(method: str, path: str, content: Mapping[str, Any] | None) -> Any:
    """GitHub's API by its own CLI, which has the log-in. LookupError for what is not there."""
    command = ["gh", "api", "-X", method, path.lstrip("/"), *(["--input", "-"] if content is not None else [])]
    given = None if content is None else json.dumps(content)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        if "HTTP 404" in done.stderr:
            raise LookupError(path)
        sys.exit(f"error: gh api {path}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def main(arguments: Sequence[str], call: Call | None) -> int:
    """`--repository OWNER/NAME --stack NAME ... [--reviewer LOGIN ...] [--apply]`."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.github.team", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
    parser.add_argument("--stack", action="append", required=True, help="in the order of the deploys")
    parser.add_argument("--reviewer", action="append", default=[], metavar="LOGIN", help="approves deploys")
    parser.add_argument("--apply", action="store_true", help="do what is missing, instead of saying it")
    options = parser.parse_args(arguments)
    return run(options.repository, options.stack, options.reviewer, call, apply=options.apply)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], by_gh if shutil.which("gh") else None))
