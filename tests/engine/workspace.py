"""A copy of the project with a stack, state and ports of its own, and the pulumi commands on it.

The checkout itself is never run: its .venv, .local and stack files are the tester's. Names end in .zz, which public DNS does
not have and will not (ISO 3166 leaves it to users): an `up` refuses example.org.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from components.config.load import load as load_settings
from components.config.settings import Settings
from tests.engine import docker_host
from tests.engine.standin import Variant
from tests.engine.toolbox import ROOT, Toolbox

PROJECT: Final = "videobackend"
_PROGRAM: Final = (
    "__main__.py",
    "Pulumi.yaml",
    "pyproject.toml",
    "uv.lock",
    "requirements.txt",
    "requirements",
    "components",
    "policies",
    "prosody",
    "ops",
)
_LIMIT: Final = 400


@dataclass(frozen=True)
class Run:
    """A finished pulumi command."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it wrote."""
        return self.out + self.err


class Workspace:
    """One stack.

    Args:
        folder: an empty directory for the copy and its state.
        toolbox: the tools.
        registry: the stand-ins' imageRegistry.
        config: keys besides those that keep runs apart.
    """

    def __init__(self, folder: Path, toolbox: Toolbox, *, registry: str, config: Mapping[str, Any] | None = None):
        self.stack = f"t{secrets.token_hex(4)}"
        self.project = folder / "project"
        self.state = folder / "state"
        self.transcript: list[str] = []
        """All that commands wrote, but for those that were asked to show secrets."""
        self.state.mkdir(parents=True)
        self.project.mkdir()
        for name in _PROGRAM:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.project / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, self.project / name)
        (self.project / ".venv").symlink_to(toolbox.venv)
        self._environment = self._environ(toolbox)
        self._must("stack", "init", self.stack)
        self._head = self._stack_file()
        self.encrypted: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        http, https, media = free_ports()
        self.config: dict[str, Any] = {
            "publicUrl": f"https://onlineberatung.local:{https}",
            "httpPort": http,
            "httpsPort": https,
            "jvbPort": media,
            "bindAddress": "127.0.0.1",
            "jvbBindAddress": "127.0.0.1",
            "imageRegistry": registry,
            **(config or {}),
        }
        for spec in Variant(registry).everything.values():
            image = spec.image.partition("@")[0]
            if image != Variant(registry).image(spec):
                self.patch("components/stack/images.py", image, Variant(registry).image(spec))
        (self.project / "components/stack/images.toml").write_text("", encoding="utf-8")
        self.write()

    def _environ(self, toolbox: Toolbox) -> dict[str, str]:
        foreign = ("PULUMI_", "DOCKER_", "CLOUDFLARE_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **kept,
            "PULUMI_HOME": str(toolbox.pulumi_home),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "engine tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        }

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.project / f"Pulumi.{self.stack}.yaml"

    def _stack_file(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        return content

    def write(self, file: Path | None = None, **changes: Any) -> None:
        """Writes the stack file: `config` and `encrypted`, with `changes` over them; None takes a key away."""
        values = {**self.config, **{key: {"secure": text} for key, text in self.encrypted.items()}, **changes}
        config = {
            key if ":" in key else f"{PROJECT}:{key}": str(value).lower() if isinstance(value, bool) else value
            for key, value in values.items()
            if value is not None
        }
        (file or self.file).write_text(yaml.safe_dump({**self._head, "config": config}), encoding="utf-8")

    def encrypt(self, values: Mapping[str, str]) -> dict[str, str]:
        """Encrypted forms of these values, made by `pulumi config set-all --secret`."""
        file = self.project / "encrypted.yaml"
        self.write(file)
        assignments = [part for key, value in values.items() for part in ("--secret", f"{key}={value}")]
        self._must("config", "set-all", "--stack", self.stack, "--config-file", str(file), *assignments)
        stored = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
        file.unlink()
        return {key: stored[key if ":" in key else f"{PROJECT}:{key}"]["secure"] for key in values}

    def keep_secret(self, values: Mapping[str, str]) -> None:
        """Sets secret keys."""
        self.secrets |= values
        self.encrypted |= self.encrypt(values)
        self.write()

    def settings(self) -> Settings:
        """What the program makes of the configuration."""
        plain = {key: str(value) for key, value in self.config.items() if ":" not in key}
        return load_settings({**plain, **self.secrets}, stack=self.stack, secret_keys=self.secrets)

    def pulumi(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Runs a pulumi command in the copy."""
        run = self._run(["pulumi", *arguments, "--non-interactive", "--color", "never"], environment or {})
        if "--show-secrets" not in arguments:
            self.transcript.append(run.text)
        return run

    def ops(self, command: str, *arguments: str) -> Run:
        """Runs `python -m ops COMMAND` on the stack in the copy."""
        run = self._run([sys.executable, "-m", "ops", command, "--stack", self.stack, *arguments], {})
        self.transcript.append(run.text)
        return run

    def _run(self, command: Sequence[str], environment: Mapping[str, str]) -> Run:
        done = subprocess.run(
            command,
            cwd=self.project,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def _must(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        run = self.pulumi(*arguments, environment=environment)
        assert run.code == 0, f"pulumi {' '.join(arguments)} failed:\n{run.text}"
        return run

    def up(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """`pulumi up`, which must succeed."""
        return self._must("up", "--yes", "--stack", self.stack, *arguments, environment=environment)

    def try_up(self, *arguments: str) -> Run:
        """`pulumi up`, whatever comes of it."""
        return self.pulumi("up", "--yes", "--stack", self.stack, *arguments)

    def refresh(self, *, environment: Mapping[str, str] | None = None) -> Run:
        """`pulumi refresh`, which must succeed."""
        return self._must("refresh", "--yes", "--stack", self.stack, environment=environment)

    def preview(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """`pulumi preview`, whatever comes of it."""
        return self.pulumi("preview", "--stack", self.stack, *arguments, environment=environment)

    def steps(self, *arguments: str, environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The steps that a preview foresees."""
        run = self._must("preview", "--json", "--stack", self.stack, *arguments, environment=environment)
        steps: list[dict[str, Any]] = json.loads(run.out)["steps"]
        return steps

    def outputs(self) -> dict[str, Any]:
        """Stack outputs, secrets in plain text."""
        run = self._must("stack", "output", "--json", "--show-secrets", "--stack", self.stack)
        outputs: dict[str, Any] = json.loads(run.out)
        return outputs

    def export(self) -> dict[str, Any]:
        """The state as `pulumi stack export` gives it."""
        exported: dict[str, Any] = json.loads(self._must("stack", "export", "--stack", self.stack).out)
        return exported

    def destroy(self, *, environment: Mapping[str, str] | None = None) -> Run:
        """`pulumi destroy`, which must succeed."""
        return self._must("destroy", "--yes", "--stack", self.stack, environment=environment)

    def clean_up(self, *, environment: Mapping[str, str] | None = None) -> None:
        """Leaves nothing behind on the Docker host, whatever state a failed test left."""
        if not docker_host.leftovers(self.stack):
            return
        try:
            self.pulumi("destroy", "--yes", "--stack", self.stack, environment=environment)
        finally:
            docker_host.remove_everything(self.stack)

    def twin(self, folder: Path) -> Workspace:
        """The same stack name with an empty project and state of its own, for another program (see bench)."""
        other = copy.copy(self)
        other.project, other.state, other.transcript = folder / "project", folder / "state", []
        other.state.mkdir(parents=True)
        other._environment = {**self._environment, "PULUMI_BACKEND_URL": other.state.as_uri()}
        return other

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Makes the stack with this state, secrets in it in plain text."""
        self._must("stack", "init", self.stack)
        file = self.state / "taken-over.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        self._must("stack", "import", "--stack", self.stack, "--file", str(file))
        file.unlink()

    def patch(self, path: str, old: str, new: str) -> None:
        """Changes the copied program: replaces `old`, which must stand there once."""
        file = self.project / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), encoding="utf-8")


def free_ports() -> tuple[int, int, int]:
    """Two free TCP ports and a free UDP port of the loopback address, all different."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
    held = [socket.socket(socket.AF_INET, kind) for kind in kinds]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        http, https, media = (one.getsockname()[1] for one in held)
    finally:
        for one in held:
            one.close()
    return (http, https, media) if len({http, https, media}) == 3 else free_ports()


def free_range(count: int) -> str:
    """FIRST-LAST of so many free UDP ports of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first = min(probe.getsockname()[1], 65535 - count)
    try:
        for port in range(first, first + count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return free_range(count)
    return f"{first}-{first + count - 1}"


def replaced(steps: list[dict[str, Any]]) -> set[str]:
    """Roles whose container a preview replaces."""
    changing = {"replace", "create-replacement", "delete-replaced"}
    container = "::videobackend:index:VideoBackend$docker:index/container:Container::"
    urns = (step["urn"] for step in steps if step["op"] in changing and container in step["urn"])
    return {urn.rpartition("-")[2] for urn in urns}
