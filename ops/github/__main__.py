"""`python3 -m ops.github REVIEW`: comments on the pull request of the run that this one follows."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.github import comment, pull_request
from ops.github.pull_request import Call

_LARGEST = 2_000_000


def main(arguments: Sequence[str], environ: Mapping[str, str], call: Call) -> int:
    """Comments, by the event of `environ`; 0, also where there is nothing to comment on.

    Args:
        arguments: the path of the review's JSON, which need not be there.
        environ: the variables of Actions.
        call: GitHub's API.
    """
    event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    repository = environ["GITHUB_REPOSITORY"]
    if "workflow_run" not in event:
        return _announce(call, repository, event["pull_request"])
    run = event["workflow_run"]
    pull = pull_request.find(call, repository, run)
    if pull is None:
        print(f"{run['head_sha']} is not the newest commit of an open pull request: nothing to comment on")
        return 0
    about = comment.Run(
        commit=run["head_sha"], url=run["html_url"], conclusion=str(run["conclusion"]), base=pull["base"]["ref"]
    )
    pull_request.write(call, repository, pull["number"], comment.body(about, _read(Path(arguments[0]))))
    return 0


def _announce(call: Call, repository: str, pull: Mapping[str, Any]) -> int:
    """Takes the review of an older commit away: the run for the newest may never come, and would leave it standing."""
    commit, number = pull["head"]["sha"], pull["number"]
    old = pull_request.comment(call, repository, number, comment.MARK)
    if old is not None and commit not in old["body"]:
        pull_request.write(call, repository, number, comment.pending(commit))
    return 0


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
        sys.exit(f"error: GitHub does not take the comment: {error}")
