"""`python -m ops COMMAND`: arguments, and errors in one line instead of a traceback."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Callable, Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs one command; its exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


# Pulumi takes half a second to import: not before the arguments are sound.


def _plan(options: argparse.Namespace) -> int:
    gc.disable()  # a fifth of the time of so short a process
    from ops import plan

    return plan.run(options.stack, form=options.form)


def _ready(options: argparse.Namespace) -> int:
    from ops import ready

    return ready.run(options.stack, without_state=options.without_state)


def _review(options: argparse.Namespace) -> int:
    from ops.review import revisions

    return revisions.run(options.base, form=options.form)


def _pin(options: argparse.Namespace) -> int:
    from ops import pin

    return pin.show() if options.list else pin.run(yes=options.yes)


def _run_pulumi(options: argparse.Namespace) -> int:
    from ops import run

    return run.run_pulumi(options.command, options.stack, yes=options.yes, policies=options.policies)


def _outputs(options: argparse.Namespace) -> int:
    from ops import run

    return run.outputs(options.stack, options.name, show_secrets=options.show_secrets)


def _config(options: argparse.Namespace) -> int:
    from ops import configure

    return configure.config(options.stack, options.arguments)


def _env(options: argparse.Namespace) -> int:
    from ops import run

    return run.env(options.stack)


def _verify(options: argparse.Namespace) -> int:
    try:
        from ops.verify import report
    except ModuleNotFoundError as error:
        from ops.errors import OpsError

        if error.name != "websockets":
            raise
        raise OpsError(
            "verify needs a package that the program does not: python -m pip install -r requirements/ops.txt, or run "
            "make verify, which has it"
        ) from None

    return report.run(
        options.stack,
        outputs=options.outputs,
        address=options.address,
        docker_host=options.docker_host,
        time_limit=options.time_limit,
        statistics=options.statistics,
        as_json=options.json,
    )


def _token(options: argparse.Namespace) -> int:
    from ops import join_link

    return join_link.run(
        options.stack,
        room=options.room,
        moderator=options.moderator,
        name=options.name,
        expires=" ".join(options.expires),
        outputs=options.outputs,
    )


def _import(options: argparse.Namespace) -> int:
    gc.disable()
    try:
        from ops.importer import command
    except ModuleNotFoundError as error:
        from ops.errors import OpsError

        if error.name != "dotenv":
            raise
        raise OpsError(
            "import needs a package that the program does not: python -m pip install -r requirements/ops.txt, or run "
            "make import, which has it"
        ) from None

    return command.run(
        options.stack, options.source, statistics=options.statistics, dry_run=options.dry_run, renew=options.renew
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], explained: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=explained, description=explained)
        one.set_defaults(run=run)
        one.add_argument("--stack", default="dev", help="default: dev")
        return one

    plan = command("plan", _plan, "what a stack consists of, with no engine, no Docker and no credentials")
    form = plan.add_mutually_exclusive_group()
    form.set_defaults(form="screen")
    for name, said in (
        ("full", "every resource with its inputs, as a tree"),
        ("json", "resources, outputs and facts as JSON"),
        ("mermaid", "the stack's parts and ports, as a Mermaid drawing"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=said)
    ready = command("ready", _ready, "whether the stack may be previewed or deployed where nobody watches, as in CI")
    ready.add_argument("--without-state", action="store_true", help="do not ask the backend for the stack's state")
    review = command("review", _review, "what a change does to each stack and to people, compared with a revision")
    review.add_argument("--base", default="main", metavar="REV", help="the revision to compare with; default: main")
    for name in ("markdown", "json"):
        review.add_argument(f"--{name}", dest="form", action="store_const", const=name, default="terminal")
    imported = command(
        "import", _import, "a stack file from an installation of docker-compose or Helm (docs/moving-in.md)"
    )
    imported.add_argument(
        "--from", dest="source", default="", metavar="PATH", help="its directory, .env or values.yaml"
    )
    imported.add_argument("--statistics", metavar="FILE", help="its statistics.cfg.lua, where that lies elsewhere")
    imported.add_argument("--dry-run", action="store_true", help="write nothing")
    imported.add_argument("--renew", action="store_true", help="leave refused secrets out: new ones are generated")
    pin = command("pin", _pin, "ask the registries for the images' digests, and write them beside the tags")
    pin.add_argument("--yes", action="store_true", help="take the digests of tags that moved")
    pin.add_argument("--list", action="store_true", help="the images alone, as stacks run them, as JSON; asks nobody")
    for name, explained in (
        ("up", "pulumi up, with all that it needs"),
        ("preview", "pulumi preview: what up would change"),
        ("refresh", "pulumi refresh: what changed behind Pulumi's back"),
        ("destroy", "pulumi destroy: removes the stack's containers, network and volumes"),
    ):
        one = command(name, _run_pulumi, explained)
        one.add_argument("--yes", action="store_true", help="do not ask")
        one.set_defaults(policies=False)
        if name in ("up", "preview"):
            one.add_argument("--policies", action="store_true", help="hold it to the rules (docs/policies.md)")
    verify = command("verify", _verify, "whether the running stack does what callers need (docs/verify.md)")
    verify.add_argument("--json", action="store_true", help="the results as JSON")
    verify.add_argument(
        "--time-limit", type=float, default=30.0, metavar="S", help="seconds for all of it; default: 30"
    )
    verify.add_argument("--statistics", action="store_true", help="hold a test call, whose end reaches the broker")
    verify.add_argument("--address", metavar="IP", help="connect there, whatever the name resolves to")
    verify.add_argument(
        "--docker-host", metavar="URL", help="the stack's Docker host, instead of what the stack file says"
    )
    token = command("token", _token, "a join link for one room, signed with the stack's key")
    token.add_argument("--room", default="", help="the room's name")
    token.add_argument("--moderator", action="store_true", help="it opens and moderates the room")
    token.add_argument("--name", help="the name that others see")
    token.add_argument("--expires", nargs="+", default=["3h"], metavar="TIME", help="1m to 24h; default: 3h")
    for asking in (verify, token):
        asking.add_argument("--outputs", metavar="FILE", help="the stack's outputs as JSON, instead of asking Pulumi")
    outputs = command("outputs", _outputs, "pulumi stack output")
    outputs.add_argument("name", nargs="?", help="this output alone")
    outputs.add_argument("--show-secrets", action="store_true")
    config = command("config", _config, "pulumi config, on this machine's copy of the stack file")
    config.add_argument("arguments", nargs=argparse.REMAINDER, help="such as: set --secret KEY")
    command("env", _env, "export lines for plain pulumi commands: eval them")
    return parser


def entry() -> int:
    """`main` with every error of the operator's in a few words on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 has no tree's branches
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone, as with `| head`; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from components.config.problems import SettingsError
        from ops.errors import OpsError

        if isinstance(error, OpsError):
            print(f"error: {error}", file=sys.stderr)
            return 1
        if isinstance(error, OSError):  # a full disk, a directory that is read-only
            where = f"{error.filename}: " if error.filename else ""
            print(f"error: {where}{error.strerror or error}", file=sys.stderr)
            return 1
        if isinstance(error, SettingsError):
            print(error, file=sys.stderr)
            return 1
        raise


if __name__ == "__main__":
    sys.exit(entry())
