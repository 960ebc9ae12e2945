"""`make up`, `preview`, `refresh`, `destroy`, `outputs` and `env`: Pulumi's own commands, made ready.

Owns the call of the CLI and the few lines after it. Where state and configuration are is `project`'s business, what must
hold beforehand `prepare`'s. Does nothing that plain `pulumi` and `docker` could not do too.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from components.config import rules
from components.config.suggestions import nearest
from components.stack import services
from ops import preflight, prepare, running
from ops.errors import OpsError
from ops.prepare import Prepared
from ops.project import checkpoint, engine, fixes, local_copy, stackfile, state
from ops.project.fixes import make
from ops.project.state import DIRECTORY, StackState

_UNASKED: Final = "dev"
"""The stack that `up` brings up without asking: one command for a machine of one's own."""
_STACK: Final = "pulumi:pulumi:Stack"


def run_pulumi(command: str, stack: str, *, yes: bool, policies: bool = False) -> int:
    """`up`, `preview`, `refresh` or `destroy`; the CLI's exit code. With `policies`, by the pack of rules as well."""
    os.umask(0o077)  # the file backend writes state for all to read
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    terminal = _interactive()
    if stack_state.note:
        print(stack_state.note, flush=True)
    if command == "destroy" and stack_state.embedded and checkpoint.is_empty(stack_state):
        print(f"stack {stack!r} is not up: there is nothing to destroy")
        return 0
    unasked = command == "preview" or (command == "up" and stack_state.embedded and stack == _UNASKED)
    if not (yes or terminal or unasked):
        raise OpsError(f"{command} asks before it goes on, and here is no terminal: {make(stack, command, 'YES=1')}")
    if command == "destroy":
        prepare.prepare_destroy(stack_state)
        prepared = None
    else:
        prepared = prepare.prepare_up(stack_state, command)
    cli = engine.find_cli(stack_state)
    _open(stack_state, cli, command)
    arguments = [command, *_where(stack_state)]
    if command == "up" and prepared is not None:
        arguments += _repair(stack_state, cli, prepared)
    if command == "up" and unasked:
        arguments += ["--yes", "--skip-preview"]
    elif yes and command != "preview":
        arguments += ["--yes"]
    arguments += ["--policy-pack", str(stackfile.ROOT / "policies")] if policies else []
    arguments += _quiet(command, stack_state) + ([] if terminal else ["--non-interactive"])
    code = call_cli(stack_state, cli, arguments)
    if code == 0 and command == "up" and prepared is not None:
        print(_summary(stack_state, cli, prepared, _check_containers(stack_state, cli, prepared)))
    if code == 0 and command == "destroy" and stack_state.embedded:
        print(_after_destroy(stack_state))
    return code


def _open(stack_state: StackState, cli: Path, command: str) -> None:
    """Makes the state ready for the engine. Raises OpsError where it could not read the configuration."""
    engine.check_plugins(stack_state, cli, os.environ)
    if stack_state.embedded:
        engine.initialise(stack_state, cli, os.environ)
        for line in checkpoint.release_locks(stack_state):
            print(line, flush=True)
    if command != "destroy":
        preflight.check_encrypted_values(stack_state, cli, functools.partial(fixes.config_words, stack_state))


def _where(stack_state: StackState) -> list[str]:
    """Options that lead the CLI to the stack."""
    file = ["--config-file", str(stack_state.config_file)] if stack_state.embedded else []
    return ["--stack", stack_state.stack, *file]


def _quiet(command: str, stack_state: StackState) -> list[str]:
    """Leaves the outputs away where they are hundreds of lines that nobody asked for: the summary says how to see them."""
    first = stack_state.embedded and checkpoint.is_empty(stack_state)
    return ["--suppress-outputs"] if command == "up" or (command == "preview" and first) else []


def _repair(stack_state: StackState, cli: Path, prepared: Prepared) -> list[str]:
    """Readies state and Docker host for an `up` that makes good what went wrong since the last; its further arguments."""
    deployment = prepare.deployment_of(stack_state, cli)
    repairs = prepare.find_repairs(stack_state, prepared, deployment)
    for line in repairs.messages:
        print(line, flush=True)
    running.remove_half_made(prepared.docker, repairs)
    if repairs.refresh or deployment.pending:
        # Of these alone: a refresh of all would end calls where Docker reports two addresses in another order.
        targets = repairs.refresh or tuple(one.urn for one in deployment.of_type(_STACK))
        words = ["refresh", *_where(stack_state), "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"]
        words += ["--clear-pending-creates", *(word for urn in targets for word in ("--target", urn))]
        run = _captured(stack_state, cli, words)
        if run.returncode:
            raise OpsError(f"pulumi refresh of what is missing failed: {_first_error(run)}")
    return [word for urn in repairs.replace for word in ("--replace", urn)]


def _check_containers(stack_state: StackState, cli: Path, prepared: Prepared) -> str:
    """Empty where every container was found to run, else why that was not checked. Raises OpsError where one does not."""
    if prepared.docker.unusable or prepared.settings is None:
        return prepared.docker.unusable
    roles = [spec.role for spec in services.specs(prepared.settings)]
    running.check_all_run(prepared.docker, stack_state.stack, prepare.deployment_of(stack_state, cli), roles)
    return ""


def outputs(stack: str, name: str | None, *, show_secrets: bool) -> int:
    """`pulumi stack output`; one output alone where `name` is given."""
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    if stack_state.embedded and checkpoint.is_empty(stack_state):
        raise OpsError(f"stack {stack!r} has no outputs yet: {make(stack, 'up')}")
    state.check_passphrase(stack_state, os.environ)
    arguments = ["stack", "output", *([name] if name else []), "--stack", stack, "--non-interactive"]
    arguments += ["--show-secrets"] if show_secrets else []
    cli = engine.find_cli(stack_state)
    if not name:
        return call_cli(stack_state, cli, arguments)
    run = _captured(stack_state, cli, arguments)
    print(run.stdout, end="", flush=True)
    if run.returncode:
        found = _outputs(stack_state, cli)
        names = list(found)
        if not names or name in names:
            print(run.stderr, end="", file=sys.stderr)
            return run.returncode
        if name == "hostsEntry":
            raise OpsError(
                f"stack {stack!r} has no output 'hostsEntry', which is for a local name alone. Its URL is "
                f"{found.get('publicUrl', '')}: the name of a public one gets a DNS record (dnsZone makes it), an address "
                "and localhost need neither"
            )
        near = nearest(name, names)
        meant = f"did you mean {near}? " if near else ""
        raise OpsError(f"stack {stack!r} has no output {name!r}; {meant}outputs: {', '.join(sorted(names))}")
    if "[secret]" in run.stdout and not show_secrets:
        print(f"to see it: {make(stack, 'outputs', f'NAME={name}', 'SHOW_SECRETS=1')}", file=sys.stderr)
    return 0


def _outputs(stack_state: StackState, cli: Path) -> dict[str, Any]:
    """The stack's outputs without secrets; nothing where they cannot be read."""
    run = _captured(stack_state, cli, ["stack", "output", "--json", "--stack", stack_state.stack, "--non-interactive"])
    found: dict[str, Any] = json.loads(run.stdout) if run.returncode == 0 else {}
    return found


def env(stack: str) -> int:
    """Prints `export` lines that point plain `pulumi` commands to the embedded state; for `eval`."""
    os.umask(0o077)
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    if not stack_state.embedded:
        print(f"stack {stack!r} has a backend of its own: plain pulumi needs nothing more", file=sys.stderr)
        return 0
    cli = engine.find_cli(stack_state)
    prepare.write_copy(stack_state, *local_copy.next_copy(stack_state))
    engine.initialise(stack_state, cli, os.environ)
    variables = engine.embedded_environment(stack_state, os.environ)
    if cli.is_relative_to(stack_state.directory):
        variables["PATH"] = f"{cli.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in engine.superseded_variables(stack_state, os.environ):
        print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    print(
        f"pulumi now works on stack {stack!r} in {DIRECTORY}/state, with {DIRECTORY}/{stack_state.config_file.name}: this "
        f"machine's copy of {stack_state.tracked.name}. Run this again after each edit of {stack_state.tracked.name}.",
        file=sys.stderr,
    )
    return 0


def _interactive() -> bool:
    """Whether the CLI would ask: a terminal that can be drawn on, and no CI."""
    drawn = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    return drawn and sys.stdin.isatty() and sys.stdout.isatty()


def call_cli(stack_state: StackState, cli: Path, arguments: Sequence[str], *, typed: str | None = None) -> int:
    """Runs the CLI in the project's directory, on this terminal; a Ctrl-C is the CLI's to answer.

    Args:
        stack_state: the stack.
        cli: the CLI.
        arguments: its arguments.
        typed: what it finds on stdin instead of the terminal.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        child = engine.environment(stack_state, os.environ, cli)
        command, root = [str(cli), *arguments], stack_state.root
        return subprocess.run(command, cwd=root, env=child, input=typed, text=True, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
        if stack_state.embedded:
            checkpoint.prune(stack_state)


def _captured(stack_state: StackState, cli: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs the CLI without showing what it says."""
    child = engine.environment(stack_state, os.environ, cli)
    command = [str(cli), *arguments]
    return subprocess.run(command, cwd=stack_state.root, env=child, capture_output=True, text=True, check=False)


def _first_error(run: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (run.stderr + run.stdout).splitlines() if "error:" in line]
    return lines[0].removeprefix("error:").strip() if lines else "it did not say why"


def _summary(stack_state: StackState, cli: Path, prepared: Prepared, unchecked: str) -> str:
    """What matters after `up`, in a few lines.

    Args:
        stack_state: the stack.
        cli: the CLI.
        prepared: what was found out before; its warnings are said again, as the engine's lines have passed over them.
        unchecked: why it was not checked whether the containers run; empty where it was.
    """
    found = _outputs(stack_state, cli)
    url = found.get("publicUrl", "")
    up = f"Pulumi is done: {url} (its containers were not checked: {unchecked})"
    lines = ["", up if unchecked else f"The video backend is up: {url}"]
    entry = str(found.get("hostsEntry", ""))
    if entry and not _resolves(entry.split()[1]):
        lines.append(f"  its name is not known here; add to /etc/hosts: {entry}")
    if "caCertificate" in found:
        get = make(stack_state.stack, "outputs", "NAME=caCertificate")
        lines.append(f"  browsers trust it once they know its authority: {get} > videobackend-ca.pem")
    shown, secrets = (make(stack_state.stack, "outputs", *words) for words in ((), ("SHOW_SECRETS=1",)))
    lines.append(f"  its outputs: {shown}; with the passwords and the VideoService's lines: {secrets}")
    warnings = [*(rules.warnings(prepared.settings) if prepared.settings else []), *prepared.warnings]
    lines += [f"  warning: {one}" for one in warnings]
    return "\n".join(lines)


def _after_destroy(stack_state: StackState) -> str:
    """What Pulumi's own advice at the end of a destroy needs before it works."""
    env = make(stack_state.stack, "env")
    return (
        f"Nothing more is needed: {make(stack_state.stack, 'up')} brings it up anew. For `pulumi stack rm`, first: "
        f'eval "$({env})"; with --preserve-config {stack_state.tracked.name} stays'
    )


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
