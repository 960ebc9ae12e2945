"""`python3 -m ops.unattended.plans BASE FOLDER`: the review against BASE and the whole plan of each stack, as files.

Owns their names: `review.json` (`ops.review`), and NAME.txt with each stack's plan or the reason why it is refused. Needs no
engine, no Docker and no secret, so it serves forks, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.unattended.stack import ROOT, Call, call

_PYTHON = ".venv-ops/bin/python"


def main(arguments: Sequence[str], environ: Mapping[str, str], call: Call = call, root: Path = ROOT) -> int:
    """Writes them, and the review to the log; 1 where a stack is refused or cannot be reviewed."""
    base, folder = arguments[0], Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    stacks = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.?*.yaml"))
    own = [word for stack in stacks for word in ("--stack", stack)]
    made = call([sys.executable, "-m", "ops.environment", "ops", *own], environ)
    if made.code:
        print(made.err, file=sys.stderr)
        return 1
    review = call([_PYTHON, "-m", "ops", "review", "--base", base, "--json"], environ)
    (folder / "review.json").write_text(review.out, encoding="utf-8")
    shown = call([_PYTHON, "-m", "ops", "review", "--base", base], environ)
    print(shown.out + shown.err, flush=True)
    code = review.code
    for stack in stacks:
        plan = call([_PYTHON, "-m", "ops", "plan", "--stack", stack, "--full"], environ)
        (folder / f"{stack}.txt").write_text(plan.out + plan.err, encoding="utf-8")
        print(f"{stack!r}: {'refused' if plan.code else 'planned'}", flush=True)
        code = code or plan.code
    return int(bool(code))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
