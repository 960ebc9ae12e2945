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

from pulumi import RunError

from components.config.problems import SettingsError
from components.config.settings import DEFAULT_DOCKER_HOST, Settings, misplaced
from ops import preflight
from ops.errors import OpsError
from ops.project import fixes, stackfile, state
from ops.project.fixes import make
from ops.project.state import DIRECTORY, Place

_UNASKED: Final = "dev"
"""The stack that `up` brings up without asking: one command for a machine of one's own."""


def operate(command: str, stack: str, *, yes: bool) -> int:
    """`up`, `preview`, `refresh` or `destroy`; the CLI's exit code."""
    os.umask(0o077)  # the file backend writes state for all to read
    place = state.place_of(stack, os.environ, stackfile.ROOT)
    terminal = _interactive()
    if place.note:
        print(place.note, flush=True)
    settings = None
    if command == "destroy":
        if place.embedded and place.is_empty:
            print(f"stack {stack!r} is not up: there is nothing to destroy")
            return 0
        if not yes and not terminal:
            raise OpsError(f"destroy asks before it removes anything, and here is no terminal: make {command} YES=1")
        _ready_to_look(place)
    else:
        settings = _ready_to_make(place, command)
        yes = yes or not terminal
    cli = state.find_cli(place)
    if place.embedded:
        state.initialise(place, cli, os.environ)
    arguments = [command, "--stack", stack]
    arguments += ["--config-file", str(place.config_file)] if place.embedded else []
    if command == "up" and place.embedded and stack == _UNASKED:
        arguments += ["--yes", "--skip-preview", "--suppress-outputs"]  # nobody is asked; the summary follows
    elif yes and command != "preview":
        arguments += ["--yes"]
    arguments += [] if terminal else ["--non-interactive"]
    code = _pulumi(place, cli, arguments)
    if code == 0 and command == "up":
        if settings:
            preflight.check_running(settings, stack)
        print(_summary(place, cli))
    return code


def outputs(stack: str, name: str | None, *, show_secrets: bool) -> int:
    """`pulumi stack output`; one output alone where `name` is given."""
    place = state.place_of(stack, os.environ, stackfile.ROOT)
    if place.embedded and place.is_empty:
        raise OpsError(f"stack {stack!r} has no outputs yet: {make(stack, 'up')}")
    arguments = ["stack", "output", *([name] if name else []), "--stack", stack, "--non-interactive"]
    return _pulumi(place, state.find_cli(place), arguments + (["--show-secrets"] if show_secrets else []))


def config(stack: str, arguments: Sequence[str]) -> int:
    """`pulumi config ARGUMENTS`; with embedded defaults on this machine's copy of the stack file."""
    os.umask(0o077)
    place = state.place_of(stack, os.environ, stackfile.ROOT)
    cli = state.find_cli(place)
    where = ["--stack", stack]
    if place.embedded:
        _write_copy(place, *state.next_copy(place))
        state.initialise(place, cli, os.environ)
        where += ["--config-file", str(place.config_file)]
    code = _pulumi(place, cli, ["config", *where, *arguments])
    if code == 0 and place.embedded and arguments and arguments[0] in ("set", "set-all", "rm", "rm-all"):
        print(f"kept in {DIRECTORY}/{place.config_file.name}, on this machine only; {make(stack, 'up')} applies it")
    return code


def env(stack: str) -> int:
    """Prints `export` lines that point plain `pulumi` commands to the embedded state; for `eval`."""
    os.umask(0o077)
    place = state.place_of(stack, os.environ, stackfile.ROOT)
    if not place.embedded:
        print(f"stack {stack!r} has a backend of its own: plain pulumi needs nothing more", file=sys.stderr)
        return 0
    cli = state.find_cli(place)
    _write_copy(place, *state.next_copy(place))
    state.initialise(place, cli, os.environ)
    variables = state.embedded_environment(place, os.environ)
    if cli.is_relative_to(place.directory):
        variables["PATH"] = f"{cli.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    print(
        f"pulumi now works on stack {stack!r} in {DIRECTORY}/state, with {DIRECTORY}/{place.config_file.name}: this "
        f"machine's copy of {place.tracked.name}. Run this again after each edit of {place.tracked.name}.",
        file=sys.stderr,
    )
    return 0


def _interactive() -> bool:
    """Whether the CLI would ask: a terminal that can be drawn on, and no CI."""
    drawn = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    return drawn and sys.stdin.isatty() and sys.stdout.isatty()


def _ready_to_make(place: Place, command: str) -> Settings | None:
    """Everything that must hold before `up`, `preview` or `refresh`; with embedded defaults the copy is written.

    Returns the settings, None where Docker cannot be asked with them.
    """
    tracked = stackfile.read(place.tracked)
    stackfile.check(place.tracked, tracked, stackfile.read_project(place.root)["name"])
    content, dropped = state.next_copy(place) if place.embedded else (tracked, [])
    if content.get("environment"):
        return None  # values from there are only the engine's to see
    settings = _checked(place, tracked, content)
    if place.embedded:
        content = _with_docker_host(place, content)
        content = _with_address(place, content, _checked(place, tracked, content))
        settings = _checked(place, tracked, content)
        _write_copy(place, content, dropped)
    if not preflight.check_docker(settings):
        return None
    if command != "up":
        return settings
    if place.embedded and place.is_empty:
        preflight.check_not_elsewhere(settings, place.stack)
    preflight.check_ports(settings, place.stack)
    preflight.check_images(settings)
    return settings


def _ready_to_look(place: Place) -> None:
    """What `destroy` needs: Docker, and the settings only where they are sound."""
    try:
        content = stackfile.read(place.config_file)
        settings = preflight.check_settings(place.stack, content, place.root)
    except RunError:
        return
    preflight.check_docker(settings)


def _checked(place: Place, tracked: Mapping[str, Any], content: Mapping[str, Any]) -> Settings:
    """The settings of `content`; what must not stand in the tracked file is refused even where the copy makes it good."""
    project = stackfile.read_project(place.root)
    config = stackfile.engine_config(tracked, project)
    problems = misplaced(config.values, config.secret_keys, project["name"])
    try:
        settings = preflight.check_settings(place.stack, content, place.root)
        if not problems:
            return settings
    except SettingsError as error:
        known = {one.key for one in error.problems}
        problems = [*error.problems, *(one for one in problems if one.key not in known)]
    raise fixes.worded(SettingsError(place.stack, project["name"], problems), place, tracked, content) from None


def _with_docker_host(place: Place, content: Mapping[str, Any]) -> dict[str, Any]:
    """The copy's content with the Docker host that `docker` talks to, on a first use where that is not the default."""
    config = dict(content["config"])
    if place.is_empty and not {"docker:host", "docker:context"} & set(config):
        host = preflight.current_docker_host()
        if host != DEFAULT_DOCKER_HOST:
            config["docker:host"] = host
            print(f"docker:host is {host}, where docker commands go now ({_kept(place, 'docker:host')})")
    return {**content, "config": config}


def _with_address(place: Place, content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The copy's content with this machine's address, for a local name on a local Docker host that has none yet."""
    config = dict(content["config"])
    if settings.docker_host_address or not settings.public_url.is_local_name or not preflight.is_local(settings):
        return {**content, "config": config}
    address = preflight.lan_address()
    if address is None:
        print("warning: no network: dockerHostAddress stays unset, so calls work on this machine only")
    else:
        project = stackfile.read_project(place.root)["name"]
        config[f"{project}:dockerHostAddress"] = address
        print(f"dockerHostAddress is {address}, this machine in its network ({_kept(place, 'dockerHostAddress')})")
    return {**content, "config": config}


def _kept(place: Place, key: str) -> str:
    change = make(place.stack, "config", f"ARGS='set {key} VALUE'")
    return f"kept in {DIRECTORY}/{place.config_file.name}; to change it: {change}"


def _write_copy(place: Place, content: Mapping[str, Any], dropped: Sequence[str]) -> None:
    state.write_copy(place, content)
    for key in dropped:
        print(f"{key} comes from {place.tracked.name} again, which changed; what was set on this machine is dropped")


def _pulumi(place: Place, cli: Path, arguments: Sequence[str]) -> int:
    """Runs the CLI in the project's directory, on this terminal; a Ctrl-C is the CLI's to answer."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        child = state.environment(place, os.environ, cli)
        return subprocess.run([str(cli), *arguments], cwd=place.root, env=child, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _summary(place: Place, cli: Path) -> str:
    """What matters after `up`, in a few lines."""
    run = subprocess.run(
        [str(cli), "stack", "output", "--json", "--stack", place.stack, "--non-interactive"],
        cwd=place.root,
        env=state.environment(place, os.environ, cli),
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
        get = make(place.stack, "outputs", "NAME=caCertificate")
        lines.append(f"  browsers trust it once they know its authority: {get} > videobackend-ca.pem")
    lines.append(f"  passwords and the VideoService's lines: {make(place.stack, 'outputs', 'SHOW_SECRETS=1')}")
    return "\n".join(lines)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
