"""`python3 -m ops.github COMMAND`: what the workflows ask and tell GitHub.

review FILE      comments on the pull request of the run that this one follows (or takes an older commit's comment away)
preview FOLDER   comments on this pull request what the engine foresees
choose           which stacks the commit is deployed to; sets the output `stacks`
newer STACK      fails where something newer was deployed in the meantime, or a stack before it does not have the commit
deployed STACK   records that the commit is deployed
drift FOLDER     opens, updates and closes the stacks' issues
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.github import comment, deploy, issue, pull_request
from ops.github.pull_request import Call
from ops.unattended import foreseen
from ops.unattended.foreseen import Foreseen

_LARGEST = 2_000_000


@dataclass(frozen=True)
class Job:
    """What Actions says of this job, and GitHub's API."""

    environ: Mapping[str, str]
    call: Call

    @property
    def event(self) -> Mapping[str, Any]:
        """What started it."""
        content: Mapping[str, Any] = json.loads(Path(self.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        return content

    @property
    def repository(self) -> str:
        return self.environ["GITHUB_REPOSITORY"]

    @property
    def url(self) -> str:
        """This run's page."""
        return f"{self.environ['GITHUB_SERVER_URL']}/{self.repository}/actions/runs/{self.environ['GITHUB_RUN_ID']}"

    @property
    def commit(self) -> str:
        """The commit to deploy: the one that was checked, or the one that somebody chose."""
        run = self.event.get("workflow_run")
        return str(run["head_sha"]) if run else self.environ["GITHUB_SHA"]

    @property
    def stacks(self) -> list[str]:
        return list(map(str, json.loads(self.environ["STACKS"])))


def main(arguments: Sequence[str], environ: Mapping[str, str], call: Call) -> int:
    """Does one of them, by the variables of Actions in `environ`; 0 where it is done, or there is nothing to do."""
    job = Job(environ, call)
    commands: Mapping[str, Callable[[Job, str], None]] = {
        "review": _review,
        "preview": _preview,
        "choose": _choose,
        "newer": _newer,
        "deployed": lambda job, stack: deploy.record(call, job.repository, job.commit, stack, job.url),
        "drift": _drift,
    }
    try:
        commands[arguments[0]](job, "".join(arguments[1:2]))
    except deploy.NotDeployableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _review(job: Job, path: str) -> None:
    if "workflow_run" not in job.event:
        for mark in (comment.MARK, comment.PREVIEW_MARK):
            _announce(job, mark)
        return
    run = job.event["workflow_run"]
    pull = pull_request.find(job.call, job.repository, run)
    if pull is None:
        print(f"{run['head_sha']} is not the newest commit of an open pull request: nothing to comment on")
        return
    about = comment.Run(
        commit=run["head_sha"], url=run["html_url"], conclusion=str(run["conclusion"]), base=pull["base"]["ref"]
    )
    pull_request.write(job.call, job.repository, pull["number"], comment.body(about, _read(Path(path))))


def _announce(job: Job, mark: str) -> None:
    """Takes what is said of an older commit away: the run for the newest may never come, and would leave it standing."""
    pull = job.event["pull_request"]
    commit, number = pull["head"]["sha"], pull["number"]
    old = pull_request.comment(job.call, job.repository, number, mark)
    if old is not None and not comment.is_of(old["body"], commit):
        pull_request.write(job.call, job.repository, number, comment.pending(mark, commit))


def _preview(job: Job, folder: str) -> None:
    pull = job.event["pull_request"]
    text = comment.previews(pull["head"]["sha"], job.url, _left(job, folder))
    pull_request.write(job.call, job.repository, pull["number"], text)


def _choose(job: Job, _: str) -> None:
    deploy.check_passed(job.call, job.repository, job.commit)
    asked = "workflow_run" not in job.event
    chosen = deploy.choose(job.call, job.repository, job.commit, job.stacks, all_of_them=asked)
    with Path(job.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"stacks={json.dumps(chosen)}\ncommit={job.commit}\n")


def _newer(job: Job, stack: str) -> None:
    deploy.check_newer(job.call, job.repository, job.commit, stack)
    deploy.check_before(job.call, job.repository, job.commit, stack, job.stacks)


def _drift(job: Job, folder: str) -> None:
    for found in _left(job, folder):
        print(issue.report(job.call, job.repository, found, job.url))


def _left(job: Job, folder: str) -> list[Foreseen]:
    """What each stack's job left, or that it left nothing."""
    return [foreseen.read(Path(folder) / f"{stack}.json", stack) for stack in job.stacks]


def _read(path: Path) -> bytes | None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        return None
    return path.read_bytes()


if __name__ == "__main__":
    try:
        sys.exit(
            main(sys.argv[1:], os.environ, pull_request.api(os.environ["GITHUB_API_URL"], os.environ["GITHUB_TOKEN"]))
        )
    except urllib.error.URLError as error:
        sys.exit(f"error: GitHub does not take it: {error}")
