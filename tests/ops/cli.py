"""`python -m ops` in this process, with a false Pulumi CLI and a false docker on PATH."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from typing import Any

from ops.project import stackfile
from tests.ops.project import Project

Ops = Callable[..., "subprocess.CompletedProcess[str]"]
PULUMI = """
import json, os, sys
from pathlib import Path
from urllib.parse import unquote, urlsplit
words = sys.argv[1:]
found = {name: value for name, value in os.environ.items() if name.startswith("PULUMI_")}
stdin = sys.stdin.read() if words[0] == "config" else None
with open(os.path.join(os.environ["HOME"], "calls"), "a") as calls:
    told = {"words": words, "cwd": os.getcwd(), "environ": found, "umask": os.umask(0), "stdin": stdin}
    calls.write(json.dumps(told) + "\\n")
def checkpoint(stack, resources=()):
    path = Path(unquote(urlsplit(os.environ["PULUMI_BACKEND_URL"]).path), ".pulumi/stacks/videobackend", stack + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
if words[:2] == ["stack", "init"]:
    Path("Pulumi." + words[2] + ".yaml").write_text("encryptionsalt: v1:fresh\\n")
    checkpoint(words[2])
elif words[0] == "up" and not int(os.environ.get("FAIL", 0)):
    urn = "urn:pulumi:" + words[2] + "::videobackend::x$docker:index/container:Container::videobackend-"
    kind, roles = "docker:index/container:Container", ["web", "prosody", "jicofo", "jvb"]
    checkpoint(words[2], [{"urn": urn + role, "type": kind, "id": "id-" + role, "outputs": {"name": "videobackend-dev-" + role}}
                         for role in roles])
elif words[0] == "config" and os.environ.get("UNDECRYPTABLE") and ("--json" in words or words[1] == "get"):
    if "--json" in words or words[2] in os.environ["UNDECRYPTABLE"].split():
        sys.exit("error: could not decrypt configuration value: : cipher: message authentication failed")
elif words[0] == "config" and "set-all" in words:
    path = Path(words[words.index("--config-file") + 1])
    lines = "".join("  videobackend:" + word.replace("=", ": ") + "\\n" for word in words if "=" in word)
    path.write_text(path.read_text().replace("config:\\n", "config:\\n" + lines))
elif words[0] == "config" and "rm" in words:
    path = Path(words[words.index("--config-file") + 1])
    gone = ("  " + words[-1] + ":", "  videobackend:" + words[-1] + ":")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith(gone)))
elif words[:2] == ["stack", "export"]:
    sys.exit("error: no stack named")
elif words[:3] == ["stack", "output", "credentials"]:
    print("[secret]")
elif words[:2] == ["stack", "output"] and words[2] in ("hostEntry", os.environ.get("NO_OUTPUT")):
    sys.exit("error: current stack does not have output property '" + words[2] + "'")
elif words[:2] == ["stack", "output"]:
    found = {"publicUrl": "https://x.invalid", "hostsEntry": "192.0.2.44 x.invalid", "caCertificate": "PEM"}
    print(json.dumps({name: found[name] for name in found if name != os.environ.get("NO_OUTPUT")}))
sys.exit(int(os.environ.get("FAIL", 0)) if words[0] == "up" else 0)
"""
DEFAULT_HOST = "unix:///var/run/docker.sock"
DOCKER = """
import json, os, sys
from pathlib import Path
home, words = Path(os.environ["HOME"]), sys.argv[3:]
told = json.loads((home / "docker.json").read_text())
checkpoints = [one.read_text() for one in home.glob(".local/state/.pulumi/stacks/videobackend/*.json")]
recorded = [one for text in checkpoints for one in json.loads(text)["checkpoint"]["latest"]["resources"]]
names = {one["id"]: one["urn"].rpartition("-")[2] for one in recorded} | told.get("others", {})
if sys.argv[1:3] == ["context", "inspect"]:
    print(told["context"])
elif words[:3] == ["ps", "--all", "--no-trunc"]:
    print(*(number for number in names if number not in told.get("missing", [])))
elif words[:2] == ["container", "inspect"]:
    states = {number: told.get("states", {}).get(names[number], {}) for number in words[2:]}
    healthy = {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}}
    print(json.dumps([
        {"Id": number, "Name": "/videobackend-dev-" + names[number], "State": healthy | state,
         "Config": {"Labels": {"videobackend.role": names[number]}}, "NetworkSettings": {"Networks": {}}}
        for number, state in states.items()
    ]))
if words and words[0] in ("rm", "unpause", "network") and "ls" not in words:
    with open(home / "docker-calls", "a") as calls:
        calls.write(" ".join(words) + "\\n")
"""


def docker(project: Project, context: str = DEFAULT_HOST, **told: Any) -> None:
    """A `docker` that leads to `context`; all containers that the engine has recorded run, but for what is told."""
    project.program("docker", DOCKER)
    (project.root / "docker.json").write_text(json.dumps({"context": context, **told}))


def free_port(kind: socket.SocketKind) -> int:
    """A free port of the loopback address."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def calls(project: Project) -> list[dict[str, Any]]:
    """What the CLI was called with, one after the other."""
    path = project.root / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def config(project: Project, stack: str = "dev") -> dict[str, Any]:
    """The configuration of the machine's own copy of the stack file."""
    found: dict[str, Any] = stackfile.read(project.root / ".local" / f"Pulumi.{stack}.yaml")["config"]
    return found


def must_up(ops: Ops) -> str:
    """What an `up` says, which must succeed."""
    run = ops("up")
    assert run.returncode == 0, run.stderr
    return run.stdout
