"""docker-compose's files: what each service gets, as docker-compose itself says it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ops.errors import OpsError
from ops.importer import compose_file, dotenv_file

ENV = "A=1\nB='two words'\nEMPTY=\nPORT=8000\n"
BASE = """
version: '3'
x-shared: &shared
  TZ: ${ZONE:-UTC}
services:
  web:
    image: ${REPO:-jitsi}/web:${VERSION-latest}
    restart: ${POLICY:-always}
    ports: ['${PORT}:80', '127.0.0.1:8443:443']
    environment: [A, B, EMPTY, MISSING, 'QUOTED="${A}"', 'D=$$x', 'E=${EMPTY:-e}', 'F=${EMPTY-f}', 'G=a=b']
    volumes: ['./data:/config:Z', {type: bind, source: ./x, target: /y}]
    env_file: extra.env
  jvb:
    image: x
    environment:
      <<: *shared
      NUMBER: 12
      NOTHING:
"""
OVERRIDE = """
version: '3'
services:
  web:
    environment: {A: '3', NEW: "${B}"}
    volumes: ['./other:/config']
  jvb:
    image: x
    environment: ['NUMBER=13', 'NOTHING=1']
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in {
        ".env": ENV,
        "docker-compose.yml": BASE,
        "docker-compose.override.yml": OVERRIDE,
        "extra.env": "FROM_FILE=x # y\nA=0\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def read(checkout: Path) -> compose_file.Compose:
    values = {name: entry.value for name, entry in dotenv_file.read(ENV)[0].items()}
    return compose_file.read(compose_file.find(checkout, values), values)


def test_an_override_beats_the_file_before_it(checkout: Path) -> None:
    compose = read(checkout)
    web, jvb = compose.services["web"], compose.services["jvb"]
    assert web.environment == {
        "FROM_FILE": "x",
        "A": "3",
        "B": None,
        "EMPTY": None,
        "MISSING": None,
        "QUOTED": '"1"',
        "D": "$x",
        "E": "e",
        "F": "",
        "G": "a=b",
        "NEW": "two words",
    }
    assert jvb.environment == {"TZ": "UTC", "NUMBER": "13", "NOTHING": "1"}
    assert (web.image, web.restart) == ("jitsi/web:latest", "always")
    assert web.ports == ["8000:80", "127.0.0.1:8443:443"]
    assert web.mounts == {"/config": "./other", "/y": "./x"}
    assert not compose.faults
    assert {"A", "PORT", "ZONE"} <= compose.mentioned


def test_what_docker_compose_would_not_start_is_refused(checkout: Path) -> None:
    cases = {
        "services: {web: {environment: ['A=${PASS:?give one}']}}": "PASS is required there",
        "services: {web: {environment: ['A=${B${C}}']}}": "not every docker-compose reads alike",
    }
    for text, said in cases.items():
        (checkout / "docker-compose.yml").write_text(text)
        assert said in str(read(checkout).faults)
    for text in ("a: 1", "services: [web]", "services: {web: {environment: {A: [1]}}}", "- a"):
        (checkout / "docker-compose.yml").write_text(text)
        with pytest.raises(OpsError):
            read(checkout)


@pytest.mark.servers
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose 1.29")
def test_docker_compose_gives_each_service_the_same(checkout: Path) -> None:
    run = subprocess.run(["docker-compose", "config"], cwd=checkout, capture_output=True, text=True, check=True)
    said = yaml.safe_load(run.stdout)["services"]
    values = {name: entry.value for name, entry in dotenv_file.read(ENV)[0].items()}
    for name, service in read(checkout).services.items():
        ours = {key: values.get(key) if value is None else value for key, value in service.environment.items()}
        theirs = {
            key: None if value is None else str(value).replace("$$", "$")
            for key, value in said[name]["environment"].items()
        }
        assert ours == theirs, name
        assert service.image == said[name]["image"]
        assert service.restart == said[name].get("restart", "")
