"""The engine's programs: the Pulumi CLI, the environment that it is called in, and the providers' plugins.

Owns where the CLI comes from, what it is told of state and configuration by its environment, and the making of a stack
in the embedded state. Does not own which commands are called (`run`), nor where state and configuration are (`state`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from components.resources import docker_cli
from ops.errors import OpsError
from ops.project import local_copy, stackfile, state
from ops.project.state import DIRECTORY, PASSPHRASE, PASSPHRASE_FILE, SALT, StackState

_MOVING: Final = ("PULUMI_OPTION_", "PULUMI_STACK", "PULUMI_CONFIG_SECRET_KEYS", "PULUMI_BACKEND_URL")
"""Variables of the CLI's that would lead it elsewhere, or give its commands other options."""
_PLUGIN_HOSTS: Final = ("github.com", "get.pulumi.com")
"""Where the engine downloads plugins from, one after the other."""
_OTHER_WAYS: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES")
"""With one of these the engine asks others than these hosts."""
_SECONDS: Final = 3.0


def environment(stack_state: StackState, environ: Mapping[str, str], cli: Path) -> dict[str, str]:
    """The engine's environment: the operator's, and with embedded defaults what points to them."""
    child = {"PULUMI_SKIP_UPDATE_CHECK": "true", **environ}
    for name in docker_cli.LEADING:
        child.pop(name, None)  # the provider looks at them, too
    if cli.is_relative_to(stack_state.directory):
        child["PATH"] = f"{cli.parent}{os.pathsep}{environ.get('PATH', '')}"
    if stack_state.embedded:
        child = {name: value for name, value in child.items() if not name.startswith(_MOVING)}
        for name in superseded_variables(stack_state, environ):
            child.pop(name, None)
        child |= embedded_environment(stack_state, environ)
    return child


def embedded_environment(stack_state: StackState, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that make any `pulumi` command use the embedded state and the machine's copy of the stack file."""
    variables = {
        "PULUMI_BACKEND_URL": state.backend_url(stack_state.root),
        "PULUMI_OPTION_STACK": stack_state.stack,
        "PULUMI_OPTION_CONFIG_FILE": str(stack_state.config_file),
    }
    if state.uses_own_passphrase(stack_state, environ):
        variables[PASSPHRASE_FILE] = str(stack_state.passphrase)
    return variables


def superseded_variables(stack_state: StackState, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables of the environment that the CLI must not see beside those."""
    return (PASSPHRASE,) if PASSPHRASE in environ and state.uses_own_passphrase(stack_state, environ) else ()


def initialise(stack_state: StackState, cli: Path, environ: Mapping[str, str]) -> None:
    """Makes the stack in the embedded state, and takes the salt into the copy.

    `pulumi stack init` knows no --config-file and would write the salt beside the project's Pulumi.yaml: it runs in a
    directory of its own with a Pulumi.yaml of the same name.
    """
    state.make_directory(stack_state)
    stack_state.state.mkdir(mode=0o700, exist_ok=True)
    state.ensure_passphrase(stack_state, environ)
    if stack_state.exists:
        return
    scratch = stack_state.directory / "init"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    project = {"name": stackfile.read_project(stack_state.root)["name"], "runtime": "python"}
    (scratch / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    salted = scratch / stack_state.tracked.name
    content, _ = local_copy.next_copy(stack_state)
    if SALT in content:
        salted.write_text(yaml.safe_dump({SALT: content[SALT]}))
    child = environment(stack_state, environ, cli)
    child.pop("PULUMI_OPTION_STACK", None)
    child.pop("PULUMI_OPTION_CONFIG_FILE", None)
    run = subprocess.run(
        [str(cli), "stack", "init", stack_state.stack, "--no-select", "--non-interactive"],
        cwd=scratch,
        env=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise OpsError(
            f"cannot make stack {stack_state.stack!r} in {DIRECTORY}/state: {run.stdout.strip().removeprefix('error: ')}"
        )
    local_copy.write_copy(stack_state, {**content, SALT: stackfile.read(salted)[SALT]})
    shutil.rmtree(scratch)


def find_cli(stack_state: StackState) -> Path:
    """The Pulumi CLI on PATH, else the official release of the SDK's version in `.local/pulumi`.

    Raises OpsError where it cannot be downloaded.
    """
    on_path = shutil.which("pulumi")
    if on_path:
        return Path(on_path)
    home = stack_state.directory / "pulumi"
    cli = home / "bin" / "pulumi"
    if cli.exists():
        return cli
    from pulumi import automation
    from pulumi._version import version

    state.make_directory(stack_state)
    print(
        f"the Pulumi CLI is not on PATH: downloading v{version} into {DIRECTORY}/pulumi ...",
        file=sys.stderr,
        flush=True,
    )
    try:
        automation.PulumiCommand.install(root=str(home), version=version)
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "output", None) or b"").decode(errors="replace").strip()
        reason = output.splitlines()[-1] if output else error
        raise OpsError(
            f"the Pulumi CLI is not on PATH and cannot be downloaded ({reason}): connect to the network, or install it "
            f"from https://www.pulumi.com/docs/install/"
        ) from None
    return cli


def check_plugins(stack_state: StackState, cli: Path, environ: Mapping[str, str]) -> None:
    """That the engine has, or can fetch, the plugin of each provider of `.venv`. Raises OpsError."""
    missing = _missing_plugins(stack_state, environ)
    if not missing or any(environ.get(name) for name in _OTHER_WAYS):
        return
    reasons = [reason for host in _PLUGIN_HOSTS if (reason := _unreachable(host))]
    if len(reasons) == len(_PLUGIN_HOSTS):
        commands = " && ".join(f"{cli.name} plugin install resource {one}" for one in missing)
        raise OpsError(
            f"the Pulumi plugin{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} not on this machine and cannot be downloaded ({reasons[-1]}): connect "
            f"to the network; or on a machine that has one, {commands}, and copy its ~/.pulumi/plugins here"
        )


def _missing_plugins(stack_state: StackState, environ: Mapping[str, str]) -> list[str]:
    """Name and version of each plugin that the engine would download, as it looks for them (pulumi, plugins.go)."""
    home = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".pulumi")
    path = "" if environ.get("PULUMI_IGNORE_AMBIENT_PLUGINS") else environ.get("PATH", "")
    missing = []
    for file in sorted((stack_state.root / ".venv").glob("lib/python3*/site-packages/pulumi_*/pulumi-plugin.json")):
        plugin = json.loads(file.read_text(encoding="utf-8"))
        name, version = str(plugin["name"]), str(plugin.get("version", ""))
        if shutil.which(f"pulumi-resource-{name}", path=path):
            continue
        kept = [
            folder.name.rpartition("-v")[2] for folder in home.glob(f"plugins/resource-{name}-v*") if folder.is_dir()
        ]
        if not any(_numbers(one) >= _numbers(version) for one in kept):
            missing.append(f"{name} {version}".strip())
    return missing


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))


def _unreachable(host: str) -> str:
    """Why no connection to a host can be made; empty where one can."""
    try:
        with socket.create_connection((host, 443), timeout=_SECONDS):
            return ""
    except OSError as error:
        return f"{host}: {error.strerror or error}"
