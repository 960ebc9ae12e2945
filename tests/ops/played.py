"""`subprocess.run` for the Python scripts that a test puts on PATH: they run in this process.

Python needs 40 ms to start, and one `up` calls a dozen programs. All else is as for a process: the script is found on
PATH and executable, has its own arguments, environment, directory and streams, and ends with an exit code. Whatever is
no such script is started.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, Final

import pytest

_started: Final = subprocess.run


def play(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Until the test's end, the scripts in `folder` are played; `stop` ends it before."""

    def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any) -> Any:
        found = shutil.which(command[0], path=(os.environ if env is None else env).get("PATH", ""))
        script = Path(found).read_text() if found and Path(found).parent == folder else ""
        if not script.startswith(f"#!{sys.executable}"):
            return _started(command, env=env, **options)
        return _play(_compiled(script, found or ""), command, env, **options)

    monkeypatch.setattr(subprocess, "run", run)


def stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every program is started."""
    monkeypatch.setattr(subprocess, "run", _started)


@functools.lru_cache
def _compiled(script: str, name: str) -> CodeType:
    return compile(script, name, "exec")


def _play(
    code: CodeType,
    command: Sequence[str],
    env: Mapping[str, str] | None,
    *,
    cwd: Path | None = None,
    input: str | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    capture_output: bool = False,
    check: bool,
    text: bool,
    timeout: float | None = None,
    errors: str = "strict",
) -> subprocess.CompletedProcess[str]:
    assert text
    assert not check
    assert input is None or stdin is None
    out = io.StringIO() if capture_output or stdout == subprocess.PIPE else None
    err = io.StringIO() if capture_output or stderr == subprocess.PIPE else None
    shown = err or (out if stderr == subprocess.STDOUT else None) or sys.stderr
    returncode = 0
    with (
        _process(command, os.environ if env is None else env, cwd or Path.cwd(), input or ""),
        contextlib.redirect_stdout(out or sys.stdout),
        contextlib.redirect_stderr(shown),
    ):
        try:
            exec(code, {"__name__": "__main__"})
        except SystemExit as ended:
            returncode = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
    said, complained = (stream.getvalue() if stream else None for stream in (out, err))
    return subprocess.CompletedProcess(command, returncode, said, complained)


@contextlib.contextmanager
def _process(command: Sequence[str], environ: Mapping[str, str], folder: Path, typed: str) -> Iterator[None]:
    """What belongs to a process; afterwards it is this one's again."""
    mask = os.umask(0)
    os.umask(mask)
    try:
        with pytest.MonkeyPatch.context() as own:
            own.setattr(sys, "argv", list(command))
            own.setattr(sys, "stdin", io.StringIO(typed))
            own.setattr(os, "environ", dict(environ))
            own.chdir(folder)
            yield
    finally:
        os.umask(mask)
