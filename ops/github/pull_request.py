"""Putting one comment on the pull request that a workflow run belongs to, and keeping it current.

Owns which pull request that is, by what GitHub itself says and nothing that the run left. Does not own the text
(`comment`).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Call = Callable[[str, str, Mapping[str, Any] | None], Any]
"""Method, path below the API's address, and body → the answer."""
BOT: Final = "github-actions[bot]"
_PAGE: Final = 100
_SECONDS: Final = 30


def api(address: str, token: str) -> Call:
    """GitHub's REST API at `address`, such as https://api.github.com."""

    def call(method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 (the address is the runner's own variable)
            f"{address}{path}",
            data=None if content is None else json.dumps(content).encode(),
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return json.load(answer)

    return call


def find(call: Call, repository: str, run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The open pull request whose newest commit the run was for; None where there is none any more.

    For a fork, `workflow_run` names no pull request: it is looked up by the head branch.
    """
    owner = (run.get("head_repository") or {}).get("owner", {}).get("login", "")
    query = urllib.parse.urlencode({"state": "open", "head": f"{owner}:{run['head_branch']}", "per_page": _PAGE})
    for pull in call("GET", f"/repos/{repository}/pulls?{query}", None):
        if pull["head"]["sha"] == run["head_sha"]:
            found: Mapping[str, Any] = pull
            return found
    return None


def write(call: Call, repository: str, number: int, body: str) -> None:
    """Makes the comment, or brings up to date the one that this workflow made before, which has the same first line."""
    old = comment(call, repository, number, body.partition("\n")[0])
    if old is None:
        call("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
    else:
        call("PATCH", f"/repos/{repository}/issues/comments/{old['id']}", {"body": body})


def comment(call: Call, repository: str, number: int, mark: str) -> Mapping[str, Any] | None:
    """The comment that a workflow made, found by its first line; None where there is none."""
    for one in pages(call, f"/repos/{repository}/issues/{number}/comments?"):
        if (one.get("user") or {}).get("login") == BOT and str(one.get("body") or "").startswith(mark):
            return one
    return None


def pages(call: Call, path: str) -> Iterator[Mapping[str, Any]]:
    """All entries of a list, however many pages it has; `path` ends in `?` or `&`."""
    page = 1
    while True:
        found = call("GET", f"{path}per_page={_PAGE}&page={page}", None)
        yield from found
        if len(found) < _PAGE:
            return
        page += 1
