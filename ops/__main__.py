"""`python -m ops COMMAND`: arguments, and errors in one line instead of a traceback."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    plan = commands.add_parser("plan", help="what a stack consists of, with no engine, no Docker and no credentials")
    plan.add_argument("--stack", default="dev")
    plan.add_argument("--json", action="store_true", help="resources and outputs as JSON")
    options = parser.parse_args(arguments)
    gc.disable()  # a fifth of the time of so short a process
    from ops import plan as planning  # Pulumi takes half a second to import

    return planning.run(options.stack, json_only=options.json)


def entry() -> int:
    """`main` with every error of the operator's in a few words on stderr."""
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone, as with `| head`; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from ops.errors import OpsError

        if isinstance(error, OpsError):
            print(f"error: {error}", file=sys.stderr)
            return 1
        if "pulumi" in sys.modules and isinstance(error, sys.modules["pulumi"].RunError):
            print(error, file=sys.stderr)
            return 1
        raise


if __name__ == "__main__":
    sys.exit(entry())
