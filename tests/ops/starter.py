"""Starts `python -m ops` in a process of its own without paying each time for the import of Pulumi.

One Python per test process imports what ops needs from others, and forks for each command: the child has the memory of
a fresh interpreter with those packages imported, its own environment, directory and output, and none of the project's
modules. Where the start of the interpreter itself matters, `Project.python` starts a real one.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

TIME_LIMIT: Final = 60
PREPARED: Final = (
    "asyncio",
    "runpy",
    "json",
    "yaml",
    "pulumi",
    "pulumi.runtime.mocks",
    "pulumi_docker",
    "pulumi_random",
    "pulumi_tls",
)
"""Not Cloudflare's package: that it stays out where DNS is off is tested."""


class Starter:
    """The Python that forks."""

    def __init__(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI")}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            text=True,
        )
        atexit.register(self._process.kill)

    def run(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m ops ARGUMENTS` in `folder` says and returns, with no terminal; raises TimeoutExpired."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as scratch:
            out, err = Path(scratch, "out"), Path(scratch, "err")
            order = {"arguments": list(arguments), "folder": str(folder), "environ": dict(environ)}
            order |= {"out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            limit = threading.Timer(TIME_LIMIT, self._process.kill)
            limit.start()
            answer = self._process.stdout.readline()
            limit.cancel()
            if not answer:
                started.cache_clear()
                raise subprocess.TimeoutExpired(["ops", *arguments], TIME_LIMIT)
            return subprocess.CompletedProcess(
                ["ops", *arguments], json.loads(answer), out.read_text("utf-8"), err.read_text("utf-8")
            )


@functools.cache
def started() -> Starter:
    """The one of this process."""
    return Starter()


def _serve() -> None:
    for module in PREPARED:
        __import__(module)
    own = os.dup(1)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        os.write(own, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: dict[str, Any]) -> None:
    code = 1
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environ"])
        for number, name in enumerate((os.devnull, order["out"], order["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
        sys.path[0] = order["folder"]
        sys.argv = ["ops", *order["arguments"]]
        runpy.run_module("ops", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
