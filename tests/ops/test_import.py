"""`make import`: from an installation to a stack file, in the words that operators see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from ops.importer import writing
from tests import pem
from tests.ops.cli import Ops, calls
from tests.ops.project import Project, one_line_error

SECRET = "9f86d081884c7d659a2feaa0c55ad015"
OTHER = "60303ae22b998861bce3b28f33eec1be"
KNOWN = "my_jitsi_app_secret"
ENV = f"""
PUBLIC_URL=https://video.beratung.test
HTTP_PORT=80
HTTPS_PORT=443
DOCKER_HOST_ADDRESS=10.11.12.13
ENABLE_AUTH=1
AUTH_TYPE=jwt
JWT_APP_ID=beratung
JWT_APP_SECRET='{SECRET}'   # shared
JVB_AUTH_PASSWORD={OTHER}
ENABLE_LETSENCRYPT=1
LETSENCRYPT_EMAIL=admin@beratung.test
JVB_TCP_PORT=4443
XMPP_DOMAIN=meet.jitsi
CONFIG=./conf
ENABLE_LOBBY=yes
TZ=Europe/Berlin
"""
COMPOSE = """
services:
  web:
    image: jitsi/web:stable-7210-2
    restart: ${RESTART_POLICY:-always}
    ports: ['${HTTP_PORT}:80', '${HTTPS_PORT}:443']
    volumes:
      - ${CONFIG}/web:/config:Z
      - ./custom/body.html:/usr/share/jitsi-meet/body.html
      - ./custom/images:/usr/share/jitsi-meet/images/custom
    environment: [ENABLE_AUTH, PUBLIC_URL, ENABLE_LETSENCRYPT, LETSENCRYPT_EMAIL, TZ, XMPP_DOMAIN]
  prosody:
    image: jitsi/prosody:stable-7210-2
    restart: ${RESTART_POLICY:-always}
    volumes: ['${CONFIG}/prosody:/config']
    environment: [AUTH_TYPE, ENABLE_AUTH, ENABLE_LOBBY, JWT_APP_ID, JWT_APP_SECRET, JVB_AUTH_PASSWORD, TZ, XMPP_DOMAIN]
  jvb:
    environment: [DOCKER_HOST_ADDRESS, JVB_AUTH_PASSWORD, JVB_TCP_PORT]
"""
OVERRIDE = """
services:
  web:
    environment: {ENABLE_PREJOIN_PAGE: "0", ENABLE_AUTH: 1}
"""
STATISTICS = """-- the broker
enable_statistics = true
rabbit_url = "http://broker.beratung.test:15672/api/exchanges/%2F/statistics.topic/publish"
rabbit_username = 'beratung';
rabbit_password = "s\\x65cret-of-the-broker-77"
"""
PULUMI = """
import json, os, sys
from pathlib import Path
from urllib.parse import unquote, urlsplit
words = sys.argv[1:]
with open(os.path.join(os.environ["HOME"], "calls"), "a") as calls:
    calls.write(json.dumps({"words": words, "stdin": sys.stdin.read()}) + "\\n")
    sys.stdin.seek(0)
if words[:2] == ["stack", "init"]:
    Path("Pulumi." + words[2] + ".yaml").write_text("encryptionsalt: v1:fresh\\n")
    path = Path(unquote(urlsplit(os.environ["PULUMI_BACKEND_URL"]).path), ".pulumi/stacks/videobackend", words[2] + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {"resources": []}}}))
elif words[:3] == ["config", "set", "--secret"]:
    if os.environ.get("BREAKS") in words:
        sys.exit("error: no disk")
    file = Path(words[words.index("--config-file") + 1])
    assert "v1:fresh" in file.read_text()
    with open(os.path.join(os.environ["HOME"], "kept.json"), "a") as kept:
        kept.write(json.dumps([words[3], sys.stdin.read()]) + "\\n")
    file.write_text(file.read_text() + "config:\\n  videobackend:" + words[3] + ":\\n    secure: v1:AAAA:BBBB\\n")
elif words[0] == "config":
    lines = (Path(os.environ["HOME"]) / "kept.json").read_text().splitlines()
    print(json.dumps({"videobackend:" + key: {"value": value, "secret": True} for key, value in map(json.loads, lines)}))
"""


@pytest.fixture
def machine(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a false Pulumi CLI, which keeps what it is asked to encrypt."""
    monkeypatch.setattr(writing, "_WORKERS", 1)  # the CLI is played in this process
    project.program("pulumi", PULUMI)
    return project


@pytest.fixture
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as docker-compose runs it."""
    root = tmp_path_factory.mktemp("old")
    for name, text in {
        ".env": ENV,
        "docker-compose.yml": COMPOSE,
        "docker-compose.override.yml": OVERRIDE,
        "conf/prosody/conf.d/statistics.cfg.lua": STATISTICS,
        "conf/web/custom-config.js": "config.defaultLanguage = 'de';\n",
        "custom/body.html": "<p>Beratung</p>",
        "custom/images/logo.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def files(root: Path) -> Mapping[str, bytes]:
    return {str(one.relative_to(root)): one.read_bytes() for one in sorted(root.rglob("*")) if one.is_file()}


def test_a_checkout_becomes_a_stack_file_its_secrets_and_its_look(machine: Project, ops: Ops, old: Path) -> None:
    run = ops("import", "--from", str(old), "--stack", "beratung")
    assert run.returncode == 0, run.stderr + run.stdout
    content = yaml.safe_load((machine.root / "Pulumi.beratung.yaml").read_text())
    assert content == {
        "config": {
            f"videobackend:{key}": value
            for key, value in {
                "publicUrl": "https://video.beratung.test",
                "dockerHostAddress": "10.11.12.13",
                "jwtAppId": "beratung",
                "letsencryptEmail": "admin@beratung.test",
                "httpPort": 80,
                "httpsPort": 443,
                "restartPolicy": "always",
                "enablePrejoinPage": False,
                "enableStatistics": True,
                "rabbitUrl": "http://broker.beratung.test:15672/api/exchanges/%2F/statistics.topic/publish",
                "rabbitUsername": "beratung",
                "brandingDir": "branding/beratung",
            }.items()
        }
    }
    assert {call["words"][3]: call["stdin"] for call in calls(machine) if call["words"][0] == "config"} == {
        "jwtAppSecret": SECRET,
        "jvbAuthPassword": OTHER,
        "rabbitPassword": "secret-of-the-broker-77",
    }
    copy = yaml.safe_load((machine.root / ".local/Pulumi.beratung.yaml").read_text())["config"]
    assert copy["videobackend:jwtAppSecret"] == {"secure": "v1:AAAA:BBBB"}
    assert files(machine.root / "branding/beratung") == {
        "body.html": b"<p>Beratung</p>",
        "config.js": b"config.defaultLanguage = 'de';\n",
        "images/custom/logo.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for line in (
        "  JWT_APP_SECRET       jwtAppSecret: [secret]",
        "  JVB_TCP_PORT: no longer there since stable-7001",
        "  ENABLE_LOBBY: enableLobby is true unless set",
        "Not expressible (0)\n  nothing",
        "written: the look in branding/beratung/, Pulumi.beratung.yaml, 3 secrets, encrypted, in .local/Pulumi.beratung.yaml",
    ):
        assert line in run.stdout
    assert "Still to set" not in run.stdout


def test_the_files_that_compose_file_names_are_those_that_count(machine: Project, ops: Ops, old: Path) -> None:
    (old / ".env").write_text(ENV + "COMPOSE_FILE=docker-compose.yml:jibri.yml\n")
    (old / "jibri.yml").write_text(
        "services: {jibri: {image: jitsi/jibri}, web: {environment: {ENABLE_CLOSE_PAGE: 0}}}\n"
    )
    run = ops("import", "--from", str(old), "--stack", "beratung", "--dry-run")
    assert run.returncode == 0, run.stderr
    assert "enablePrejoinPage" not in run.stdout  # of the override, which is not named
    assert "enableClosePage: false" in run.stdout
    assert "service jibri: a container that no stack has" in run.stdout
    assert "COMPOSE_FILE: docker-compose's own" in run.stdout
    (old / "jibri.yml").unlink()
    message = one_line_error(ops("import", "--from", str(old), "--stack", "beratung"))
    assert "jibri.yml is named by COMPOSE_FILE in .env, and is not there" in message


def test_no_secret_is_said_on_a_command_line_or_in_a_file_in_plain(machine: Project, ops: Ops, old: Path) -> None:
    run = ops("import", "--from", str(old), "--stack", "beratung")
    secrets = (SECRET, OTHER, "secret-of-the-broker-77")
    words = [word for call in calls(machine) for word in call["words"]]
    written = [
        text.decode(errors="replace")
        for name, text in files(machine.root).items()
        if name not in ("calls", "kept.json")
    ]
    for text in (run.stdout, run.stderr, *words, *written):
        assert not [secret for secret in secrets if secret in text]


def test_a_second_time_changes_nothing_and_a_changed_stack_file_stays(machine: Project, ops: Ops, old: Path) -> None:
    assert ops("import", "--from", str(old), "--stack", "beratung").returncode == 0
    before = {name: text for name, text in files(machine.root).items() if name != "calls"}
    again = ops("import", "--from", str(old), "--stack", "beratung")
    assert again.returncode == 0
    assert "Pulumi.beratung.yaml is there already and says the same: nothing changed" in again.stdout
    assert {name: text for name, text in files(machine.root).items() if name != "calls"} == before
    file = machine.root / "Pulumi.beratung.yaml"
    file.write_text(file.read_text().replace("httpPort: 80\n", "httpPort: 8080\n"))
    differing = ops("import", "--from", str(old), "--stack", "beratung")
    assert differing.returncode == 1
    assert "httpPort: 8080 there, 80 by the import" in differing.stderr
    assert "httpPort: 8080\n" in file.read_text()
    (old / ".env").write_text(ENV.replace(SECRET, OTHER[::-1]))
    file.write_text(file.read_text().replace("httpPort: 8080\n", "httpPort: 80\n"))
    changed = ops("import", "--from", str(old), "--stack", "beratung")
    assert changed.returncode == 1
    assert "jwtAppSecret: set to another secret in Pulumi.beratung.yaml, which stays" in changed.stderr


def test_an_import_that_was_interrupted_is_completed_by_the_next(
    machine: Project, ops: Ops, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKS", "jwtAppSecret")
    message = one_line_error(ops("import", "--from", str(old), "--stack", "beratung"))
    assert "pulumi config of jwtAppSecret failed: no disk; it is completed by the same command" in message
    monkeypatch.delenv("BREAKS")
    run = ops("import", "--from", str(old), "--stack", "beratung")
    assert run.returncode == 0, run.stderr
    assert "written: 3 secrets" in run.stdout


def test_a_dry_run_and_a_refused_value_write_nothing(machine: Project, ops: Ops, old: Path) -> None:
    before = files(machine.root)
    assert ops("import", "--from", str(old), "--stack", "beratung", "--dry-run").returncode == 0
    assert files(machine.root) == before
    cases = {
        ENV.replace(SECRET, KNOWN): "the example of a public repository",
        ENV.replace(SECRET, "<JWT_APP_SECRET>"): "a placeholder",
        ENV.replace(SECRET, "abcabcabcabcabcabcabcabcabcabcabcabc"): "weak: a few characters, repeated",
        ENV.replace(SECRET, "tooShort1"): "not fit for jwtAppSecret",
        ENV.replace("HTTP_PORT=80", "HTTP_PORT=80000"): "'80000' has no place in httpPort",
        ENV.replace("https://video.beratung.test", "https://meet.example.com"): "an example of a documentation",
        ENV.replace("https://video.beratung.test", "https://<HOST>"): "is a placeholder",
        ENV.replace("JWT_APP_ID=beratung", "JWT_APP_ID=$HOSTNAME"): ".env:8",
        ENV + "JWT_APP_SECRET='never closed\n": "a quote that is not closed",
    }
    for text, said in cases.items():
        (old / ".env").write_text(text)
        run = ops("import", "--from", str(old), "--stack", "beratung")
        assert run.returncode == 1, said
        assert said in run.stderr, run.stderr
        assert "nothing was written" in run.stderr
        assert files(machine.root) == before


def test_refused_secrets_are_generated_anew_where_that_is_asked_for(machine: Project, ops: Ops, old: Path) -> None:
    (old / ".env").write_text(ENV.replace(SECRET, KNOWN))
    refused = ops("import", "--from", str(old), "--stack", "beratung")
    assert f"make import STACK=beratung FROM={old} ARGS=--renew" in refused.stderr
    run = ops("import", "--from", str(old), "--stack", "beratung", "--renew")
    assert run.returncode == 0, run.stderr
    assert (
        "jwtAppSecret: the example of a public repository, which the world knows; a new one is generated" in run.stdout
    )
    assert "jwtAppSecret" not in {call["words"][3] for call in calls(machine) if call["words"][0] == "config"}


def test_what_is_missing_is_told_with_the_line_that_sets_it(machine: Project, ops: Ops, tmp_path: Path) -> None:
    env = tmp_path / "old.env"
    env.write_text("ENABLE_PREJOIN_PAGE=0\n")
    statistics = tmp_path / "statistics.cfg.lua"
    statistics.write_text("enable_statistics = true")
    run = ops("import", "--from", str(env), "--stack", "beratung", "--statistics", str(statistics))
    assert run.returncode == 0, run.stderr
    assert "in Pulumi.beratung.yaml: videobackend:publicUrl: https://HOST" in run.stdout
    assert "make config STACK=beratung ARGS='set --secret rabbitPassword'" in run.stdout


def test_a_certificate_of_one_s_own_comes_along_and_the_image_s_does_not(machine: Project, ops: Ops, old: Path) -> None:
    keys = old / "conf/web/keys"
    keys.mkdir(parents=True)
    own = ENV.replace("ENABLE_LETSENCRYPT=1\nLETSENCRYPT_EMAIL=admin@beratung.test\n", "")
    signed, issued = pem.certificate(), pem.certificate("video.beratung.test")
    for env, (chain, key), said in (
        (own, issued, "tlsCertificate: [secret]"),
        (own, signed, "keys/cert.crt: self-signed by the image"),
        (ENV, issued, "keys/cert.crt: without effect beside ENABLE_LETSENCRYPT"),
        (own + "DISABLE_HTTPS=1\n", issued, "keys/cert.crt: without effect beside DISABLE_HTTPS"),
    ):
        (old / ".env").write_text(env)
        (old / "docker-compose.yml").write_text(
            COMPOSE.replace("TZ, XMPP_DOMAIN]\n  prosody", "TZ, DISABLE_HTTPS]\n  prosody")
        )
        (keys / "cert.crt").write_text(chain)
        (keys / "cert.key").write_text(key)
        run = ops("import", "--from", str(old), "--stack", "beratung", "--dry-run")
        assert run.returncode == 0, run.stderr
        assert said in run.stdout
        assert key not in run.stdout


CHART = f"""
global:
  statisticsEnabled: "true"
  rabbitStatisticsUser: beratung
  rabbitStatisticsPassword: {OTHER}
other: !concat ["a"]
online-counseling-videobackend:
  videoCallServerUrl: video.beratung.test
  jwtAppId: meet.jitsi
  jwtAppSecret: "{SECRET}"
  jvbAuthUser: jvb
  turnHost: turn.beratung.test
  turnPort: "443"
  turnCredentials: {OTHER}
  webVersion: stable-9364
  colour: blue
"""


def test_the_chart_s_values_become_a_stack_file(machine: Project, ops: Ops, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(CHART)
    run = ops("import", "--from", str(values), "--stack", "beratung")
    assert run.returncode == 0, run.stderr
    config = yaml.safe_load((machine.root / "Pulumi.beratung.yaml").read_text())["config"]
    expected = {
        "publicUrl": "https://video.beratung.test",
        "jwtAppId": "meet.jitsi",
        "enablePrejoinPage": False,
        "enableStatistics": True,
        "turn": "external",
        "turnHost": "turn.beratung.test",
        "turnsPort": 443,
        "rabbitUsername": "beratung",
        "timeZone": "UTC",
    }
    assert {key: config.get(f"videobackend:{key}") for key in expected} == expected
    assert {call["words"][3] for call in calls(machine) if call["words"][0] == "config"} == {
        "jwtAppSecret",
        "rabbitPassword",
        "turnSecret",
    }
    assert "colour: no value of the chart" in run.stdout
    assert "rabbitUrl: required" in run.stdout
    assert "dockerHostAddress: the chart's is an address within the cluster" in run.stdout
    assert "videoServiceUrl" not in run.stdout
    values.write_text(CHART.replace("  colour", "  enablePersistentRooms: true\n  colour"))
    run = ops("import", "--from", str(values), "--stack", "other", "--dry-run")
    assert "videoServiceUrl: the chart's is an address within the cluster" in run.stdout


def test_a_number_that_helm_would_print_otherwise_is_refused(machine: Project, ops: Ops, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    for given in ("12345678901234567890123456789012", "0123", "yes", "1.5", "[a]", "{a: b}"):
        values.write_text(CHART.replace(f'"{SECRET}"', given))
        run = ops("import", "--from", str(values), "--stack", "beratung")
        assert run.returncode == 1
        assert "put the value in quotes" in run.stderr
    bomb = "a: &a [x, x, x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)
    )
    values.write_text(bomb + CHART.replace("colour: blue", "jibriXmppPassword: *p"))
    assert ops("import", "--from", str(values), "--stack", "beratung").returncode == 1


def test_whatever_a_path_holds_is_told_in_one_line(machine: Project, ops: Ops, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested").mkdir()
    (tmp_path / "nested/.env").mkdir()
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample/.env.sample").write_text(ENV)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".env").write_text("A=1\n")
    (broken / "docker-compose.yml").write_text("services: [")
    contents = {
        "binary": b"\x00\x01\x02" * 100,
        "latin1": "JWT_APP_ID=M\xfcller\n".encode("latin-1"),
        "huge": b"A=1\n" * 400_000,
        "nothing.env": b"",
        "many.env": b"".join(b"V%d=x\n" % number for number in range(3000)),
        "list.yaml": b"- a\n",
        "broken.yaml": b"a: [\n",
        "deep.yaml": b"a: " + b"[" * 5000,
        "foreign.yaml": b"a: 1\n",
        "half.yaml": b'jwtAppSecret: "\\ud800"\n',
        "tagged.yaml": b"a: !!python/object:os.system {}\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    given = ["", "missing", "empty", "nested", "sample", "broken", "fifo", "a\0b", "x" * 5000, *contents]
    for name in given:
        run = ops("import", "--from", str(tmp_path / name) if name else "", "--stack", "beratung")
        message = one_line_error(run)
        assert "Traceback" not in message
    assert not (machine.root / "Pulumi.beratung.yaml").exists()
    assert "letters, digits" in one_line_error(ops("import", "--from", str(broken), "--stack", "../x"))
