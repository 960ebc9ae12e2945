"""`make up`, `preview`, `refresh`, `destroy`, `outputs`, `config` and `env`: Pulumi's own commands, made ready.

Owns the order of the steps, the call of the CLI and the few lines after it. Where state and configuration are is
`local`'s business, what must hold beforehand `preflight`'s. Does nothing that plain `pulumi` could not do too.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from components.config.load import misplaced
from components.config.problems import SettingsError
from components.config.settings import DEFAULT_DOCKER_URL, Settings
from ops import preflight
from ops.errors import OpsError
from ops.project import fixes, stackfile, state
from ops.project.fixes import make
from ops.project.state import DIRECTORY, StackState

_UNASKED: Final = "dev"
"""The stack that `up` brings up without asking: one command for a machine of one's own."""


def run_pulumi(command: str, stack: str, *, yes: bool) -> int:
    """`up`, `preview`, `refresh` or `destroy`; the CLI's exit code."""
    os.umask(0o077)  # the file backend writes state for all to read
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    terminal = _interactive()
    if stack_state.note:
        print(stack_state.note, flush=True)
    settings = None
    if command == "destroy":
        if stack_state.embedded and stack_state.is_empty:
            print(f"stack {stack!r} is not up: there is nothing to destroy")
            return 0
        if not yes and not terminal:
            raise OpsError(f"destroy asks before it removes anything, and here is no terminal: make {command} YES=1")
        prepare_destroy(stack_state)
    else:
        settings = prepare_up(stack_state, command)
        yes = yes or not terminal
    cli = state.find_cli(stack_state)
    if stack_state.embedded:
        state.initialise(stack_state, cli, os.environ)
    arguments = [command, "--stack", stack]
    arguments += ["--config-file", str(stack_state.config_file)] if stack_state.embedded else []
    if command == "up" and stack_state.embedded and stack == _UNASKED:
        arguments += ["--yes", "--skip-preview", "--suppress-outputs"]  # nobody is asked; the summary follows
    elif yes and command != "preview":
        arguments += ["--yes"]
    arguments += [] if terminal else ["--non-interactive"]
    code = _pulumi(stack_state, cli, arguments)
    if code == 0 and command == "up":
        if settings:
            preflight.check_running(settings, stack)
        print(_summary(stack_state, cli))
    return code


def outputs(stack: str, name: str | None, *, show_secrets: bool) -> int:
    """`pulumi stack output`; one output alone where `name` is given."""
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    if stack_state.embedded and stack_state.is_empty:
        raise OpsError(f"stack {stack!r} has no outputs yet: {make(stack, 'up')}")
    arguments = ["stack", "output", *([name] if name else []), "--stack", stack, "--non-interactive"]
    return _pulumi(stack_state, state.find_cli(stack_state), arguments + (["--show-secrets"] if show_secrets else []))


def config(stack: str, arguments: Sequence[str]) -> int:
    """`pulumi config ARGUMENTS`; with embedded defaults on this machine's copy of the stack file."""
    os.umask(0o077)
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    cli = state.find_cli(stack_state)
    where = ["--stack", stack]
    if stack_state.embedded:
        _write_copy(stack_state, *state.next_copy(stack_state))
        state.initialise(stack_state, cli, os.environ)
        where += ["--config-file", str(stack_state.config_file)]
    code = _pulumi(stack_state, cli, ["config", *where, *arguments])
    if code == 0 and stack_state.embedded and arguments and arguments[0] in ("set", "set-all", "rm", "rm-all"):
        print(
            f"kept in {DIRECTORY}/{stack_state.config_file.name}, on this machine only; {make(stack, 'up')} applies it"
        )
    return code


def env(stack: str) -> int:
    """Prints `export` lines that point plain `pulumi` commands to the embedded state; for `eval`."""
    os.umask(0o077)
    stack_state = state.of_stack(stack, os.environ, stackfile.ROOT)
    if not stack_state.embedded:
        print(f"stack {stack!r} has a backend of its own: plain pulumi needs nothing more", file=sys.stderr)
        return 0
    cli = state.find_cli(stack_state)
    _write_copy(stack_state, *state.next_copy(stack_state))
    state.initialise(stack_state, cli, os.environ)
    variables = state.embedded_environment(stack_state, os.environ)
    if cli.is_relative_to(stack_state.directory):
        variables["PATH"] = f"{cli.parent}{os.pathsep}{os.environ.get('PATH', '')}"
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


def prepare_up(stack_state: StackState, command: str) -> Settings | None:
    """Everything that must hold before `up`, `preview` or `refresh`; with embedded defaults the copy is written.

    Returns the settings, None where Docker cannot be asked with them.
    """
    tracked = stackfile.read(stack_state.tracked)
    stackfile.check(stack_state.tracked, tracked, stackfile.read_project(stack_state.root)["name"])
    content, dropped = state.next_copy(stack_state) if stack_state.embedded else (tracked, [])
    if content.get("environment"):
        return None  # values from there are only the engine's to see
    settings = _checked(stack_state, tracked, content)
    if stack_state.embedded:
        content = _with_docker_host(stack_state, content)
        content = _with_address(stack_state, content, _checked(stack_state, tracked, content))
        settings = _checked(stack_state, tracked, content)
        _write_copy(stack_state, content, dropped)
    if not preflight.check_docker(settings):
        return None
    if command != "up":
        return settings
    if stack_state.embedded and stack_state.is_empty:
        preflight.check_not_elsewhere(settings, stack_state.stack)
    preflight.check_ports(settings, stack_state.stack)
    preflight.check_images(settings)
    return settings


def prepare_destroy(stack_state: StackState) -> None:
    """What `destroy` needs: Docker, and the settings only where they are sound."""
    try:
        content = stackfile.read(stack_state.config_file)
        settings = preflight.check_settings(stack_state.stack, content, stack_state.root)
    except SettingsError:
        return
    preflight.check_docker(settings)


def _checked(stack_state: StackState, tracked: Mapping[str, Any], content: Mapping[str, Any]) -> Settings:
    """The settings of `content`; what must not stand in the tracked file is refused even where the copy makes it good."""
    project = stackfile.read_project(stack_state.root)
    config = stackfile.engine_config(tracked, project)
    problems = misplaced(config.values, config.secret_keys, project["name"])
    try:
        settings = preflight.check_settings(stack_state.stack, content, stack_state.root)
        if not problems:
            return settings
    except SettingsError as error:
        known = {one.key for one in error.problems}
        problems = [*error.problems, *(one for one in problems if one.key not in known)]
    raise fixes.worded(
        SettingsError(stack_state.stack, project["name"], problems), stack_state, tracked, content
    ) from None


def _with_docker_host(stack_state: StackState, content: Mapping[str, Any]) -> dict[str, Any]:
    """The copy's content with the Docker host that `docker` talks to, on a first use where that is not the default."""
    config = dict(content["config"])
    if stack_state.is_empty and not {"docker:host", "docker:context"} & set(config):
        host = preflight.current_docker_host()
        if host != DEFAULT_DOCKER_URL:
            config["docker:host"] = host
            print(f"docker:host is {host}, where docker commands go now ({_kept(stack_state, 'docker:host')})")
    return {**content, "config": config}


def _with_address(stack_state: StackState, content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The copy's content with this machine's address, for a local name on a local Docker host that has none yet."""
    config = dict(content["config"])
    if settings.advertised_addresses or not settings.public_url.is_local_name or not preflight.is_local(settings):
        return {**content, "config": config}
    address = preflight.lan_address()
    if address is None:
        print("warning: no network: dockerHostAddress stays unset, so calls work on this machine only")
    else:
        project = stackfile.read_project(stack_state.root)["name"]
        config[f"{project}:dockerHostAddress"] = address
        print(
            f"dockerHostAddress is {address}, this machine in its network ({_kept(stack_state, 'dockerHostAddress')})"
        )
    return {**content, "config": config}


def _kept(stack_state: StackState, key: str) -> str:
    change = make(stack_state.stack, "config", f"ARGS='set {key} VALUE'")
    return f"kept in {DIRECTORY}/{stack_state.config_file.name}; to change it: {change}"


def _write_copy(stack_state: StackState, content: Mapping[str, Any], dropped: Sequence[str]) -> None:
    state.write_copy(stack_state, content)
    for key in dropped:
        print(
            f"{key} comes from {stack_state.tracked.name} again, which changed; what was set on this machine is dropped"
        )


def _pulumi(stack_state: StackState, cli: Path, arguments: Sequence[str]) -> int:
    """Runs the CLI in the project's directory, on this terminal; a Ctrl-C is the CLI's to answer."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        child = state.environment(stack_state, os.environ, cli)
        return subprocess.run([str(cli), *arguments], cwd=stack_state.root, env=child, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _summary(stack_state: StackState, cli: Path) -> str:
    """What matters after `up`, in a few lines."""
    run = subprocess.run(
        [str(cli), "stack", "output", "--json", "--stack", stack_state.stack, "--non-interactive"],
        cwd=stack_state.root,
        env=state.environment(stack_state, os.environ, cli),
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(run.stdout) if run.returncode == 0 else {}
    lines = ["", f"The video backend is up: {found.get('publicUrl', '')}"]
    entry = str(found.get("hostsEntry", ""))
    if entry and not _resolves(entry.split()[1]):
        lines.append(f"  its name is not known here; add to /etc/hosts: {entry}")
    if "caCertificate" in found:
        get = make(stack_state.stack, "outputs", "NAME=caCertificate")
        lines.append(f"  browsers trust it once they know its authority: {get} > videobackend-ca.pem")
    lines.append(f"  passwords and the VideoService's lines: {make(stack_state.stack, 'outputs', 'SHOW_SECRETS=1')}")
    return "\n".join(lines)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
