"""`python -m ops review`: what a change does to each stack and to people, in words, with no engine, Docker or secret.

Owns getting the two revisions. Each is read by its own code: what the program itself does differently shows as well as
what a stack file says. Head is the working tree; the base is unpacked beside it. A process of Python reads each.
What the engine has recorded is not looked at (`pulumi preview` does).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ops.errors import OpsError
from ops.project import stackfile
from ops.review import beside, difference, snapshot, text

FORMS = {"terminal": text.as_terminal, "markdown": text.as_markdown, "json": text.as_json}


def run(base: str, *, form: str) -> int:
    """Prints the review against the revision `base`; 1 where a stack of the working tree is refused or breaks a rule.

    Raises:
        OpsError: no such revision, or one whose program cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        before = pool.submit(_of_revision, base)
        after = pool.submit(_read, "the working tree", stackfile.ROOT)
        changes = difference.compare(before.result(), after.result())
    print(FORMS[form](base, changes, beside.named(_changed_files(base))))
    return 1 if any(one.kind == "refused" or one.must_not_be for one in changes) else 0


def _of_revision(revision: str) -> dict[str, Any]:
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise OpsError(f"there is no revision {revision!r} here: git fetch, or name another one with BASE=")
    archive = _git("archive", "--format=tar", commit.decode().strip())
    if archive is None:
        raise OpsError(f"git cannot unpack {revision!r}: fetch it whole, git fetch --unshallow")
    with tempfile.TemporaryDirectory(prefix="videobackend-review-") as directory:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
            tree.extractall(directory, filter="data")
        return _read(repr(revision), Path(directory))


def _changed_files(base: str) -> set[str]:
    """Paths that the working tree has otherwise than the revision, untracked ones included; of a rename both."""
    found: set[str] = set()
    commands = (
        ("diff", "--name-only", "--no-renames", "--relative", "-z", "--end-of-options", base, "--"),
        ("ls-files", "--others", "--exclude-standard", "-z"),
    )
    for command in commands:
        listed = _git(*command)
        if listed is None:
            raise OpsError(f"git cannot compare the working tree with {base!r}")
        found |= {os.fsdecode(one) for one in listed.split(b"\0") if one}
    return found


def _read(revision: str, tree: Path) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, str(Path(snapshot.__file__)), str(tree)]
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise OpsError(f"the program of {revision} cannot be read by this one ({lines[-1]}): compare by pulumi preview")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _git(*arguments: str) -> bytes | None:
    """What git prints; None where it fails."""
    try:
        run = subprocess.run(["git", *arguments], cwd=stackfile.ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise OpsError("review compares two revisions, and git is not installed") from None
    return None if run.returncode else run.stdout
