"""A `docker` command that answers for the containers of a stack, without any."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

_DOCKER = """#!{python}
import json, sys, urllib.request
known = json.load(open({answers!r}))
arguments = sys.argv[1:]
at = arguments.index("exec")
container, command, url = arguments[at + 1], arguments[at + 2], arguments[-1]
assert command == "curl", command
if container not in known:
    sys.exit("Error response from daemon: No such container: " + container)
answer = known[container]
if answer.startswith("http://"):
    print(urllib.request.urlopen(answer + url[len("http://127.0.0.1:5280"):], timeout=5).read().decode())
else:
    print(answer)
"""


def docker_stand_in(directory: Path, answers: Mapping[str, str]) -> Path:
    """A `docker` command that knows `exec CONTAINER curl URL`: by container a text, or where to fetch it really."""
    directory.mkdir()
    table = directory / "answers.json"
    table.write_text(json.dumps(answers))
    command = directory / "docker"
    command.write_text(_DOCKER.format(python=sys.executable, answers=str(table)))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return command


def jicofo_statistics(bridges: int, operational: int) -> str:
    """What jicofo answers to GET /stats, as far as its bridges go."""
    return json.dumps({"bridge_selector": {"bridge_count": bridges, "operational_bridge_count": operational}})
