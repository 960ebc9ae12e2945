"""The `docker` command for one Docker host: the options that lead there, and an environment that leads nowhere else.

Owns how the command is called, for the diagnosis of a failed container, the checks before and after an `up`, and
verify. What they ask it is theirs. The host and the way to it are those of the Docker provider, so that nobody looks at
another machine than the one that `pulumi up` works on.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from components.config.settings import DEFAULT_DOCKER_URL, Settings
from components.stack.spec import HIDDEN

SECONDS: Final = 20.0
LEADING: Final = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
)
"""Variables that lead the command to another host, or there in another way. (DOCKER_CONFIG holds the contexts: it stays.)"""
_KEYS: Final = {
    "host": "docker:host",
    "context": "docker:context",
    "cert_path": "docker:certPath",
    "ssh_opts": "docker:sshOpts",
    "ca_material": "docker:caMaterial",
    "cert_material": "docker:certMaterial",
    "key_material": "docker:keyMaterial",
}
_PROVIDER_ONLY: Final = ("ssh_opts", "ca_material", "cert_material", "key_material")
"""What the command has no option for."""


@dataclass(frozen=True)
class DockerCli:
    """The command with its options.

    Args:
        options: those that lead to the Docker host.
        unusable: why it cannot be asked from here, in a few words; empty where it can.
        shown: the options for people to read, where these are others: without a secret.
    """

    options: tuple[str, ...] = ("--host", DEFAULT_DOCKER_URL)
    unusable: str = ""
    shown: tuple[str, ...] | None = None

    @classmethod
    def of(cls, settings: Settings, *, decrypted: bool = False) -> DockerCli:
        """The command for the host of these settings; `decrypted` where encrypted values are at hand."""
        arguments = {"host": settings.docker_url, **settings.docker}
        return cls.with_arguments(arguments, settings.docker_secrets, decrypted=decrypted)

    @classmethod
    def with_arguments(
        cls, arguments: Mapping[str, Any], secrets: Collection[str] = (), *, decrypted: bool = False
    ) -> DockerCli:
        """The command for the same host as a Docker provider's.

        Args:
            arguments: the provider's, by their names in Python.
            secrets: names of those that are stored encrypted.
            decrypted: whether their values are at hand all the same.
        """
        needed = ("context",) if arguments.get("context") else ("host", "cert_path")
        hidden = [name for name in needed if name in secrets]
        if hidden and not decrypted:
            return cls((), f"{_KEYS[hidden[0]]} is encrypted")
        if needed == ("context",):
            options = {"--context": arguments["context"]}
        else:
            alien = [_KEYS[name] for name in _PROVIDER_ONLY if arguments.get(name)]
            if alien:
                return cls((), f"the docker command has no option for {alien[0]}")
            options = {"--host": arguments.get("host") or DEFAULT_DOCKER_URL}
            if arguments.get("cert_path"):
                folder = PurePath(arguments["cert_path"])
                files = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}
                options |= {"--tlsverify": None} | {option: str(folder / file) for option, file in files.items()}
        words = [word for pair in options.items() for word in pair if word is not None]
        shown = [HIDDEN if hidden and word in options.values() else word for word in words]
        return cls(tuple(words), shown=tuple(shown) if hidden else None)

    @property
    def usable(self) -> bool:
        """Whether the host can be asked by this command: it is installed, and can be told the way."""
        return not self.unusable and shutil.which("docker") is not None

    def command(self, *words: str) -> list[str]:
        """The words of a call."""
        return ["docker", *self.options, *words]

    def typed(self, *words: str) -> str:
        """The same as an operator types it; without options where nothing is known of the host."""
        return shlex.join(["docker", *(self.options if self.shown is None else self.shown), *words])

    @staticmethod
    def environment() -> dict[str, str]:
        """What a call has to be given for an environment."""
        return {name: value for name, value in os.environ.items() if name not in LEADING}

    def run(self, *words: str, seconds: float = SECONDS, joined: bool = False) -> subprocess.CompletedProcess[str]:
        """Calls it and waits, never with a terminal. An exit code other than 0 where there is no answer, too.

        Args:
            words: what to ask.
            seconds: how long to wait.
            joined: whether stderr goes where stdout goes.
        """
        command = self.command(*words)
        try:
            return subprocess.run(
                command,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if joined else subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"no answer within {seconds:g} seconds")
        except OSError as error:
            return subprocess.CompletedProcess(command, 127, "", f"docker: {error.strerror}")
