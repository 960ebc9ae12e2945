"""A copy of the project in a folder of its own, and `python -m ops` run in it as operators do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ops.starter import started

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """The copy; what it shares with the original it only reads."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Project:
        programs = ("ops", "components", "policies", "prosody", "__main__.py")
        shared = (*programs, "Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml")
        for name in shared:
            (root / name).symlink_to(ROOT / name)
        (root / "bin").mkdir()
        return cls(root)

    def stack(self, name: str, text: str) -> None:
        """Writes Pulumi.<name>.yaml."""
        path = self.root / f"Pulumi.{name}.yaml"
        path.unlink(missing_ok=True)
        path.write_text(text)

    def program(self, name: str, script: str) -> None:
        """Puts a program of this name on PATH, as a Python script."""
        path = self.root / "bin" / name
        path.write_text(f"#!{sys.executable} -SE\n{script}")
        path.chmod(0o755)

    def ops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m ops ARGUMENTS`, with no terminal."""
        self.copy_ops()
        return started().run(arguments, self.root, self._environ())

    def python(self, arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Python in the project's folder, with no program on PATH but those of `program`, and these variables."""
        self.copy_ops()
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**self._environ(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def copy_ops(self) -> None:
        """A process finds the project by where its own modules are: they must be here."""
        folder = self.root / "ops"
        if folder.is_symlink():
            folder.unlink()
            shutil.copytree(ROOT / "ops", folder)  # with its bytecode, which is half of a command's time

    def _environ(self) -> dict[str, str]:
        return {"PATH": str(self.root / "bin"), "HOME": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}


def one_line_error(run: subprocess.CompletedProcess[str]) -> str:
    """The message of a command that failed with one line on stderr, as an operator's mistake must."""
    assert run.returncode == 1, f"exit code {run.returncode}: {run.stderr}"
    lines = run.stderr.splitlines()
    assert len(lines) == 1, f"more than one line: {run.stderr}"
    assert lines[0].startswith("error: ")
    return lines[0]
