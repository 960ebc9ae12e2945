"""`python3 -m ops.unattended preview|up|drift --stack NAME`: one step of a CI's job."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.unattended import foreseen, stack
from ops.unattended.errors import UnattendedError
from ops.unattended.foreseen import Foreseen
from ops.unattended.login import logged_in


def main(arguments: Sequence[str], environ: Mapping[str, str], call: stack.Call = stack.call) -> int:
    """Does it; 0 where the stack can be previewed, is up and works, or has not drifted."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.unattended", description=__doc__)
    parser.add_argument("command", choices=["preview", "up", "drift"])
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--out", default="", metavar="FILE", help="keep what preview or drift found there, for a later job"
    )
    parser.add_argument("--approved", default="", metavar="FILE", help="up: do only what this preview showed")
    options = parser.parse_args(arguments)
    approved = foreseen.read(Path(options.approved), options.stack) if options.approved else None
    try:
        with logged_in(environ) as engine:
            one = stack.Stack(options.stack, engine, call)
            if options.command == "up":
                return _say(environ, options.stack, one.up(approved))
            found = one.preview() if options.command == "preview" else one.drift()
    except UnattendedError as error:
        if options.command == "up":
            return _say(environ, options.stack, [str(error), "Nothing was changed."])
        found = Foreseen(options.stack, errors=(str(error),))
    if options.out:
        foreseen.write(found, Path(options.out))
    print(foreseen.as_text(found))
    _summarise(environ, foreseen.as_markdown(found))
    differs = options.command == "drift" and (found.steps or found.failed)
    return 1 if found.errors or differs else 0


def _say(environ: Mapping[str, str], name: str, lines: Sequence[str]) -> int:
    for line in lines:
        print(f"error: {line}" if line is lines[0] else f"  {line}", file=sys.stderr)
    failed = Foreseen(name, errors=tuple(lines))
    _summarise(
        environ,
        foreseen.as_markdown(failed).replace("no preview", "FAILED", 1) if lines else f"`{name}` is up and works",
    )
    return 1 if lines else 0


def _summarise(environ: Mapping[str, str], markdown: str) -> None:
    """Puts it on the page of the run, where there is one."""
    if file := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(f"{markdown}\n\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
