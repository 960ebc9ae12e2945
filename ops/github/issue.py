"""One issue for each stack that is not as it should be: opened with what differs, kept current, closed when it is gone."""

from __future__ import annotations

from typing import Final

from ops.github.comment import cut
from ops.github.pull_request import BOT, Call, pages
from ops.review import text
from ops.unattended import foreseen
from ops.unattended.foreseen import Foreseen

_LABEL: Final = "drift"
_ROOM: Final = 60_000


def report(call: Call, repository: str, found: Foreseen, url: str) -> str:
    """Opens, updates or closes the stack's issue; what was done."""
    mark = f"<!-- drift of {found.stack} -->"
    old = _open_issue(call, repository, mark)
    if not (found.steps or found.failed or found.errors):
        if old is None:
            return f"{found.stack}: as it should be"
        call(
            "POST",
            f"/repos/{repository}/issues/{old}/comments",
            {"body": f"It is as it should be again ([run]({url}))."},
        )
        call("PATCH", f"/repos/{repository}/issues/{old}", {"state": "closed", "state_reason": "completed"})
        return f"{found.stack}: as it should be again, issue {old} closed"
    what = (
        "could not be looked at"
        if found.errors
        else "is not what was deployed"
        if found.steps
        else "does not work for callers"
    )
    lines = [
        mark,
        "",
        f"Seen in [this run]({url}), which brings this text up to date each night and closes it when it is gone.",
        "",
        *foreseen.as_markdown(found).splitlines(),
        "",
        "What to do: docs/operations.md, Check for drift.",
    ]
    content = {"title": f"Stack {found.stack} {what}", "body": "\n".join(cut(lines, _ROOM))}
    if old is None:
        call("POST", f"/repos/{repository}/issues", {**content, "labels": [_LABEL]})
        return f"{text.escaped(found.stack)}: issue opened"
    call("PATCH", f"/repos/{repository}/issues/{old}", content)
    return f"{found.stack}: issue {old} brought up to date"


def _open_issue(call: Call, repository: str, mark: str) -> int | None:
    for one in pages(call, f"/repos/{repository}/issues?state=open&"):
        if (one.get("user") or {}).get("login") == BOT and str(one.get("body") or "").startswith(mark):
            return int(one["number"])
    return None
