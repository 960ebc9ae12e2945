"""`python -m ops ready`: whether a stack may be previewed or deployed where nobody watches.

Owns what a preview would not show: the example's values, a Docker host that is the runner's own, state and stack file
that do not belong together, packages that are not the lock's. Reads only. The configuration itself is judged where `up`
judges it (`preflight`, `components.config`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from components.config.problems import SettingsError
from components.config.settings import Settings
from ops import preflight
from ops.errors import OpsError
from ops.project import engine, packages, stackfile, state
from ops.project.state import StackState

RUNNER_IS_HOST: Final = "VIDEOBACKEND_RUNNER_IS_DOCKER_HOST"
"""Variable that a CI sets to 1 where the Docker host is meant to be the machine that runs it."""
_PROVIDER: Final = "pulumi:providers:docker"
_CONTAINER: Final = "docker:index/container:Container"
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)")
_BESIDE: Final = frozenset({"pip", "setuptools", "wheel"})
"""What an environment brings by itself."""
_SECONDS: Final = 120

_UNSEEN: Final = "v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAA"
"""In place of a secret that an environment of Pulumi ESC holds."""

Deployment = Mapping[str, Any]
Export = Callable[[StackState], Deployment]
"""What the engine has recorded of a stack."""
Opened = Callable[[StackState], Mapping[str, Any]]
"""A stack's configuration as the engine hands it over, in the form of `pulumi config --json`."""


def run(stack: str, *, without_state: bool) -> int:
    """`python -m ops ready`: 0, or 1 with every obstacle on stderr. Raises OpsError for no such stack or a broken file."""
    export, open_environment = (None, None) if without_state else (exported, opened)
    obstacles = find_obstacles(stack, stackfile.ROOT, os.environ, export, open_environment, found=installed())
    obstacles = obstacles or broken_rules(stack, stackfile.ROOT, open_environment)
    for one in obstacles:
        print(f"error: {one}", file=sys.stderr)
    if not obstacles:
        print(f"stack {stack!r} is ready" + (" (its state was not asked)" if without_state else ""))
    return 1 if obstacles else 0


def find_obstacles(
    stack: str,
    root: Path,
    environ: Mapping[str, str],
    export: Export | None = None,
    opened: Opened | None = None,
    *,
    found: Mapping[str, str],
) -> list[str]:
    """Why the stack must not be previewed or deployed unattended; empty where it may.

    Args:
        stack: its name.
        root: the project's directory.
        environ: the environment.
        export: gets what the engine has recorded of the stack; None to leave the state alone.
        opened: gets the configuration of a stack with an `environment`, whose values only the engine sees; None where the
            engine is not asked, which is an obstacle to such a stack.
        found: versions of the installed packages by their normal names.

    Raises:
        OpsError: no such stack, or a file that cannot be read.
    """
    stack_state = state.of_stack(stack, environ, root)
    tracked = stackfile.read(stack_state.tracked)
    stackfile.check(stack_state.tracked, tracked, stackfile.read_project(root)["name"])
    obstacles = []
    settings = None
    try:
        content = _with_environment(stack_state, tracked, opened) if tracked.get("environment") else tracked
        # Fixes in CI are plain pulumi's, also where the backend is still to be named: a runner keeps no `.local/`.
        judged = dataclasses.replace(stack_state, embedded=stack_state.embedded and not environ.get("CI"))
        settings = preflight.check_all(judged, tracked, content, own=True)
    except (OpsError, SettingsError) as error:
        obstacles.append(str(error))
    if settings is not None and _is_own_machine(settings) and environ.get(RUNNER_IS_HOST) != "1":
        obstacles.append(
            f"docker:host of stack {stack!r} is {_docker_host(settings)}, the machine that runs this: set docker:host in "
            f"{stack_state.tracked.name}, or {RUNNER_IS_HOST}=1 where that machine is meant"
        )
    obstacles += _packages(stack, root, found)
    if export is not None:
        try:
            obstacles += _state_obstacles(stack_state, environ, export, tracked, settings)
        except OpsError as error:
            obstacles.append(str(error))
    return obstacles


def broken_rules(stack: str, root: Path, opened: Opened | None = None) -> list[str]:
    """The mandatory rules (`policies`) that a stack which is sound otherwise breaks.

    Args:
        stack: its name.
        root: the project's directory.
        opened: as for `find_obstacles`.
    """
    from ops.plan import Source, policies, program

    source = Source.read(stack, root)
    if source.tracked.get("environment"):
        content = _with_environment(source.stack_state, source.tracked, opened)
        config = stackfile.engine_config(content, stackfile.read_project(root))
        source = dataclasses.replace(source, tracked=content, config=config)
    broken = policies.violations(source, program.plan(source, light=True))
    return policies.told(one for one in broken if policies.stopping([one]))


def _with_environment(stack_state: StackState, tracked: Mapping[str, Any], opened: Opened | None) -> dict[str, Any]:
    """The stack file with the values of its `environment`. Raises OpsError where nobody can see them."""
    if opened is None:
        raise OpsError(
            f"{stack_state.tracked.name} opens an environment, whose values only the engine sees: leave --without-state away"
        )
    project = str(stackfile.read_project(stack_state.root)["name"])
    own = stackfile.namespaced(tracked, project)
    config = {
        key: own.get(key, {"secure": _UNSEEN} if one.get("secret") else one.get("objectValue", one.get("value")))
        for key, one in opened(stack_state).items()
    }
    return {**{key: value for key, value in tracked.items() if key != "environment"}, "config": config}


def _is_own_machine(settings: Settings) -> bool:
    """Whether the Docker host is the machine that runs this; one that is encrypted cannot be told."""
    context = settings.docker.get("context")
    if settings.docker_secrets & {"host", "context"}:
        return False
    if context:
        return bool(context == "default")
    url = urlsplit(settings.docker_url)
    host = url.hostname or ""
    return url.scheme in ("unix", "npipe") or host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")


def _docker_host(settings: Settings) -> str:
    return str(settings.docker.get("context") or settings.docker_url)


def _packages(stack: str, root: Path, found: Mapping[str, str]) -> list[str]:
    """One sentence where the installed packages are not those of the lock."""
    files = ["requirements.txt", *(["requirements/dns.txt"] if packages.needs_dns(stack, root) else [])]
    locked: dict[str, tuple[str, bool]] = {}
    for name in files:
        for line in (root / name).read_text(encoding="utf-8").splitlines():
            if match := _PINNED.match(line):
                # A package for one kind of Python alone may be missing.
                locked[_normal(match[1])] = (match[2], "implementation" not in line)
    wrong = [
        f"{name} {found[name]} instead of {version}" if name in found else f"{name} is missing"
        for name, (version, needed) in sorted(locked.items())
        if (found[name] != version if name in found else needed)
    ]
    wrong += [f"{name} {found[name]} is none of them" for name in sorted(set(found) - set(locked) - _BESIDE)]
    if not wrong:
        return []
    shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    return [
        f"the packages are not the lock's ({' and '.join(files)}): {shown}. Run it in the environment that is: "
        f"python3 -m ops.environment program --stack {stack} -- python -m ops ready --stack {stack}"
    ]


def installed() -> dict[str, str]:
    """Versions of the packages of this environment, by normal names."""
    return {_normal(one.metadata["Name"]): one.version for one in metadata.distributions() if one.metadata["Name"]}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _state_obstacles(
    stack_state: StackState,
    environ: Mapping[str, str],
    export: Export,
    tracked: Mapping[str, Any],
    settings: Settings | None,
) -> list[str]:
    """What of the stack file does not belong to the state that the engine has."""
    name, stack = stack_state.tracked.name, stack_state.stack
    if stack_state.embedded:
        if not environ.get("CI"):
            return []
        return [
            f"stack {stack!r} has no backend of its own: its state would be this runner's, and gone after the run; set "
            "PULUMI_BACKEND_URL (README.md, Environments)"
        ]
    deployment = export(stack_state)
    resources: Sequence[Mapping[str, Any]] = deployment.get("resources") or []
    obstacles = []
    if not any(one.get("type") == _CONTAINER for one in resources):
        return []
    recorded = {
        str((one.get("inputs") or {}).get("host") or "")
        for one in resources
        if one.get("type") == _PROVIDER and not isinstance((one.get("inputs") or {}).get("host"), dict)
    } - {""}
    if settings is not None and "host" not in settings.docker_secrets and recorded - {settings.docker_url}:
        obstacles.append(
            f"docker:host of stack {stack!r} is {settings.docker_url}, and its containers are on "
            f"{', '.join(sorted(recorded))}: a changed host takes nothing along (docs/operations.md, Move to another machine)"
        )
    theirs, own = _secrets_of_state(deployment), _secrets_of_file(tracked)
    if theirs is not None and theirs != own:
        obstacles.append(
            f"{name} has {_kind(own)}, and the state of stack {stack!r} is encrypted with {_kind(theirs)}: put the lines "
            "encryptionsalt, secretsprovider and encryptedkey back as they were; to change them: pulumi stack "
            "change-secrets-provider"
        )
    return obstacles


def _secrets_of_state(deployment: Deployment) -> tuple[str, str, str] | None:
    """Kind, key service and key by which the state is encrypted (pulumi, pkg/secrets); None where it does not say."""
    provider = deployment.get("secrets_providers") or {}
    about = provider.get("state") or {}
    kind = str(provider.get("type") or "")
    if kind == "passphrase":
        return kind, "", str(about.get("salt") or "")
    if kind == "cloud":
        return kind, str(about.get("url") or ""), str(about.get("encryptedkey") or "")
    return (kind, "", "") if kind == "service" else None


def _secrets_of_file(tracked: Mapping[str, Any]) -> tuple[str, str, str]:
    service = str(tracked.get("secretsprovider") or "")
    if "://" in service:
        return "cloud", service, str(tracked.get("encryptedkey") or "")
    salt = str(tracked.get("encryptionsalt") or "")
    return ("passphrase", "", salt) if salt or service == "passphrase" else ("service", "", "")


def _kind(secrets: tuple[str, str, str]) -> str:
    kind, service, key = secrets
    if kind == "cloud":
        return f"a key of {urlsplit(service).scheme}" + ("" if key else " that is missing")
    if kind == "passphrase":
        return "a passphrase's salt" if key else "no salt of a passphrase"
    return "no key or salt (Pulumi Cloud's own)"


def exported(stack_state: StackState) -> Deployment:
    """What the engine has recorded of the stack, its secrets encrypted. Raises OpsError with the CLI's own reason."""
    stack = stack_state.stack
    hint = f" (a first time: pulumi stack init {stack})"
    found = _ask_engine(
        stack_state, ["stack", "export"], f"the backend does not hand out the state of stack {stack!r}", hint
    )
    return found.get("deployment") or {}


def opened(stack_state: StackState) -> Mapping[str, Any]:
    """The stack's configuration with the values of its `environment`, secrets left out. Raises OpsError."""
    failed = f"the environment that {stack_state.tracked.name} names cannot be opened"
    return _ask_engine(stack_state, ["config", "--open", "--json"], failed)


def _ask_engine(stack_state: StackState, command: Sequence[str], failed: str, hint: str = "") -> Mapping[str, Any]:
    program = shutil.which("pulumi")
    if program is None:
        raise OpsError("the Pulumi CLI is not on PATH: install the release that pyproject.toml names")
    try:
        run = subprocess.run(
            [program, *command, "--stack", stack_state.stack, "--non-interactive"],
            cwd=stack_state.root,
            env=engine.environment(stack_state, os.environ, Path(program)),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise OpsError(f"the backend did not answer within {_SECONDS} s: check PULUMI_BACKEND_URL") from None
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.startswith("error:")]
        reason = lines[0].removeprefix("error:").strip() if lines else f"exit code {run.returncode}"
        raise OpsError(f"{failed}: {reason}{hint}")
    content: Mapping[str, Any] = json.loads(run.stdout)
    return content
