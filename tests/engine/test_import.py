"""An installation of docker-compose comes over by the real CLI, and runs with the secrets that it had."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine import docker_host
from tests.engine.conftest import GOOD, JWT_SECRET, WorkspaceMaker
from tests.engine.workspace import Workspace, free_ports

PASSWORD = "60303ae22b998861bce3b28f33eec1be"
TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
COMPOSE = """
services:
  web:
    ports: ['127.0.0.1:${HTTP_PORT}:80', '127.0.0.1:${HTTPS_PORT}:443']
    volumes: ['./look/body.html:/usr/share/jitsi-meet/body.html']
    environment: [PUBLIC_URL, ENABLE_AUTH, TZ]
  prosody:
    environment: [PUBLIC_URL, ENABLE_AUTH, AUTH_TYPE, JWT_APP_ID, JWT_APP_SECRET, JVB_AUTH_PASSWORD, TZ,
                  MAX_PARTICIPANTS, MATRIX_UVS_AUTH_TOKEN]
  jvb:
    environment: [JVB_PORT, JVB_AUTH_PASSWORD, TZ]
"""


@pytest.fixture(scope="module")
def moved(make_workspace: WorkspaceMaker, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A stack whose file came by `make import` from an installation with ports of its own."""
    workspace = make_workspace()
    head = {key: value for key, value in yaml.safe_load(workspace.file.read_text()).items() if key != "config"}
    workspace.file.write_text(yaml.safe_dump(head))
    http, https, media = free_ports()
    old = tmp_path_factory.mktemp("old")
    (old / "look").mkdir()
    (old / "look/body.html").write_text("<p>Beratung</p>")
    (old / "docker-compose.yml").write_text(COMPOSE)
    (old / ".env").write_text(f"""
PUBLIC_URL=https://onlineberatung.local:{https}
HTTP_PORT={http}
HTTPS_PORT={https}
JVB_PORT={media}
JITSI_IMAGE_REPO={GOOD}
ENABLE_AUTH=1
AUTH_TYPE=jwt
JWT_APP_ID=beratung
JWT_APP_SECRET="{JWT_SECRET}"   # shared with the portal
export JVB_AUTH_PASSWORD={PASSWORD}
TZ=UTC
MAX_PARTICIPANTS=20
MATRIX_UVS_AUTH_TOKEN={TOKEN}
""")
    # docker-compose.yml names no image, so the .env's registry has to be said there as well.
    images = {role: {"image": f"{GOOD}/{role}:stable-11146-2"} for role in ("web", "prosody", "jicofo", "jvb")}
    (old / "docker-compose.override.yml").write_text(yaml.safe_dump({"services": images}))
    run = workspace.ops("import", "--from", str(old))
    assert run.code == 0, run.text
    assert "Not expressible (0)" in run.out
    again = workspace.ops("import", "--from", str(old))
    assert "says the same: nothing changed" in again.out, again.text
    plan = workspace.ops("plan")
    assert plan.code == 0, plan.text
    workspace.up()
    return workspace


def test_the_stack_runs_with_the_old_secrets_and_settings(moved: Workspace) -> None:
    containers = docker_host.containers(moved.stack)
    assert {role: one["State"]["Health"]["Status"] for role, one in containers.items()} == dict.fromkeys(
        ("web", "prosody", "jvb", "jicofo"), "healthy"
    )
    prosody = docker_host.environment(containers["prosody"])
    assert prosody["JWT_APP_SECRET"] == JWT_SECRET
    assert prosody["JVB_AUTH_PASSWORD"] == PASSWORD == docker_host.environment(containers["jvb"])["JVB_AUTH_PASSWORD"]
    assert prosody["JWT_APP_ID"] == "beratung"
    assert prosody["TZ"] == "UTC"
    assert prosody["MAX_PARTICIPANTS"] == "20"
    assert prosody["MATRIX_UVS_AUTH_TOKEN"] == TOKEN


def test_its_secrets_are_nowhere_in_plain(moved: Workspace) -> None:
    texts = [*moved.transcript, moved.file.read_text(), *(one.read_text() for one in moved.state.rglob("*.json"))]
    for secret in (JWT_SECRET, PASSWORD, TOKEN):
        assert not [text for text in texts if secret in text]


def test_the_look_is_in_the_web_container(moved: Workspace, tmp_path: Path) -> None:
    name = docker_host.containers(moved.stack)["web"]["Name"].lstrip("/")
    docker_host.docker("cp", f"{name}:/usr/share/jitsi-meet/body.html", str(tmp_path / "body.html"))
    assert (tmp_path / "body.html").read_text() == "<p>Beratung</p>"
