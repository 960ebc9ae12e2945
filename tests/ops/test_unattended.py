"""What a CI's job gets before it touches a stack: the engine by checksum, and a log-in that leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from ops.project import stackfile
from ops.unattended import tools
from ops.unattended.errors import UnattendedError
from ops.unattended.login import VARIABLES, logged_in

GITHUB: Final = {
    "PULUMI_BACKEND_URL": "s3://bucket",
    "PULUMI_ACCESS_TOKEN": "",
    "PATH": os.environ["PATH"],
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.test/?v=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer",
}


def identity(address: str, bearer: str) -> bytes:
    assert bearer == "bearer"
    return json.dumps({"value": f"token for {address.partition('&audience=')[2]}"}).encode()


def logged(variables: Mapping[str, str], **environ: str) -> dict[str, str]:
    """The variables of the log-in, files in place of their paths."""
    with logged_in({**GITHUB, "VARS": json.dumps(variables), **environ}, identity) as found:
        return {name: Path(value).read_text() if Path(value).is_file() else value for name, value in found.items()}


def test_each_cloud_gets_the_jobs_identity_for_its_own_audience_in_the_form_that_its_library_reads() -> None:
    aws = logged({"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_REGION": "eu-central-1", "ANOTHER": "x"})
    assert aws["AWS_WEB_IDENTITY_TOKEN_FILE"] == "token for sts.amazonaws.com"
    assert (aws["AWS_ROLE_ARN"], aws["AWS_REGION"]) == ("arn:aws:iam::1:role/x", "eu-central-1")
    assert "ANOTHER" not in aws
    assert "PULUMI_ACCESS_TOKEN" not in aws, "empty is unset: the CLI would take it for one"
    provider = "projects/1/locations/global/workloadIdentityPools/p/providers/q"
    google = json.loads(
        logged({"GOOGLE_WORKLOAD_IDENTITY_PROVIDER": provider, "GOOGLE_SERVICE_ACCOUNT": "a@b"})[
            "GOOGLE_APPLICATION_CREDENTIALS"
        ]
    )
    assert google["audience"] == f"//iam.googleapis.com/{provider}"
    assert google["service_account_impersonation_url"].endswith("/serviceAccounts/a@b:generateAccessToken")
    azure = logged({"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_STORAGE_ACCOUNT": "s"})
    assert azure["AZURE_FEDERATED_TOKEN_FILE"] == "token for api%3A%2F%2FAzureADTokenExchange"


def test_elsewhere_than_on_github_the_job_names_its_identity_and_its_variables_itself() -> None:
    environ = {"PULUMI_BACKEND_URL": "gs://b", "OIDC_TOKEN": "gitlab", "AWS_ROLE_ARN": "r", "SSH_KNOWN_HOSTS": ""}
    with logged_in(environ) as found:
        assert Path(found["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text() == "gitlab"
        assert "SSH_KNOWN_HOSTS" not in found


def test_nothing_is_fetched_unasked_and_no_file_is_left_or_open_to_others() -> None:
    with logged_in({**GITHUB, "AWS_ROLE_ARN": "r"}, identity) as found:
        token = Path(found["AWS_WEB_IDENTITY_TOKEN_FILE"])
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
        assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert not token.parent.exists()


def test_ssh_asks_nothing_waits_for_no_end_and_knows_only_the_hosts_that_were_named(tmp_path: Path) -> None:
    real = tmp_path / "ssh"
    real.write_text('#!/bin/sh\necho "$@"; cat "$2"')
    real.chmod(0o755)
    secrets = {"SSH_PRIVATE_KEY": "KEY\r\nLINE", "SSH_KNOWN_HOSTS": "host ssh-ed25519 AAAA"}
    with logged_in({**GITHUB, **secrets, "PATH": f"{tmp_path}:/usr/bin:/bin"}, identity) as found:
        run = subprocess.run(["ssh", "deploy@host"], env=found, capture_output=True, text=True, check=True)
        directory = Path(found["PATH"].partition(":")[0]).parent
        assert (directory / "key").read_text() == "KEY\nLINE\n"
        assert stat.S_IMODE((directory / "key").stat().st_mode) == 0o600
        assert "SSH_PRIVATE_KEY" not in found, "the engine and its plugins need the file alone"
    first, *config = run.stdout.splitlines()
    assert first.endswith(" deploy@host")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in config}
    assert (lines["BatchMode"], lines["StrictHostKeyChecking"]) == ("yes", "yes")
    assert lines["UserKnownHostsFile"] == f'"{directory}/known_hosts"'
    assert {"ConnectTimeout", "ServerAliveInterval", "ServerAliveCountMax"} <= lines.keys()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PULUMI_BACKEND_URL": ""}, "neither PULUMI_BACKEND_URL nor PULUMI_ACCESS_TOKEN is among the environment's"),
        ({"PULUMI_BACKEND_URL": "", "GITHUB_ACTOR": "dependabot[bot]"}, "among Dependabot's secrets"),
        ({"PULUMI_BACKEND_URL": "file:///srv", "RUNNER_ENVIRONMENT": "github-hosted"}, "the state with it"),
        ({"SSH_PRIVATE_KEY": "KEY"}, "ssh-keyscan"),
        ({"AWS_ROLE_ARN": "r", "ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "id-token: write"),
    ],
)
def test_what_cannot_be_a_log_in_is_refused_with_what_is_missing(environ: Mapping[str, str], words: str) -> None:
    with pytest.raises(UnattendedError, match=words):
        logged({}, **environ)


def test_the_documentation_names_every_secret_and_variable() -> None:
    text = (stackfile.ROOT / "docs" / "team.md").read_text()
    from ops.unattended.login import SECRETS

    assert [name for name in (*SECRETS, *VARIABLES) if f"`{name}`" not in text] == []


class Mirror:
    """Archives by their path."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, address: str) -> bytes:
        self.asked.append(address.removeprefix(f"{tools.MIRROR}/"))
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=0) as tree:
            cli = "sdk/" in address
            version = address.partition("-v")[2].partition("-linux")[0]
            content = f"#!/bin/sh\necho v{version}\n".encode()
            member = tarfile.TarInfo("pulumi/pulumi" if cli else "pulumi-resource-x")
            member.size, member.mode = len(content), 0o755
            tree.addfile(member, io.BytesIO(content))
        data = bytearray(file.getvalue())
        data[4:8] = b"\0\0\0\0"  # gzip's time
        return bytes(data)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "requirements").mkdir(parents=True)
    for name in ("requirements.txt", "requirements/dns.txt"):
        (root / name).write_text((stackfile.ROOT / name).read_text())
    return root


def test_the_engine_and_its_plugins_are_what_was_pinned_and_in_the_packages_versions(
    project: Path, tmp_path: Path
) -> None:
    mirror, home = Mirror(), tmp_path / "home"
    environ = {"PULUMI_HOME": str(home), "PATH": "/usr/bin:/bin", "GITHUB_PATH": str(tmp_path / "path")}
    assert tools.main(["pin"], environ, mirror, project) == 0
    assert len((project / tools.PINS).read_text().splitlines()) == 2 + 5
    mirror.asked.clear()
    assert tools.main(["install"], environ, mirror, project) == 0
    versions = {one.name: one.version for one in tools.needed(stackfile.ROOT, dns=False)}
    assert set(versions) == {"pulumi", "docker", "random", "tls"}, "no plugin of a provider that the stack does without"
    assert mirror.asked[1] == f"plugins/pulumi-resource-docker-v{versions['docker']}-linux-amd64.tar.gz"
    assert (home / "plugins" / f"resource-tls-v{versions['tls']}" / "pulumi-resource-x").exists()
    assert (tmp_path / "path").read_text() == f"{home}/cli/pulumi\n"
    mirror.asked.clear()
    assert tools.main(["install"], environ, mirror, project) == 0
    assert mirror.asked == [], "what is there is taken as it is"


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ("", "has no checksum of pulumi"),
        ("pulumi {pulumi} " + "0" * 64 + "\n", "is not what requirements/engine.txt pins"),
        ("pulumi 3.0.0 " + "0" * 64 + "\n", "has no checksum of pulumi"),
    ],
)
def test_an_archive_without_its_checksum_or_with_another_is_not_unpacked(
    project: Path, tmp_path: Path, pins: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {one.name: one.version for one in tools.needed(stackfile.ROOT, dns=False)}
    (project / tools.PINS).write_text(pins.format(**versions))
    environ = {"PULUMI_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    assert tools.main(["install"], environ, Mirror(), project) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_each_checksum_is_of_a_version_that_is_locked() -> None:
    locked = {(one.name, one.version) for one in tools.needed(stackfile.ROOT, dns=True)}
    assert set(tools._pins(stackfile.ROOT)) <= locked
    assert tools._HEAD in (stackfile.ROOT / tools.PINS).read_text()


def test_it_needs_nothing_that_has_to_be_installed() -> None:
    code = "import ops.unattended.__main__, ops.unattended.tools; print(sorted({'yaml', 'pulumi', 'idna'} & set(sys.modules)))"
    command = [sys.executable, "-SE", "-c", f"import sys; sys.path.insert(0, '.'); {code}"]
    run = subprocess.run(command, cwd=stackfile.ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "[]\n", run.stderr
