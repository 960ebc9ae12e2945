"""The variables by which the engine and its providers log in, for as long as one command runs.

Owns what CI's own identity (OIDC) and the secrets of an environment become: files in a directory that is removed
afterwards, and variables. The clouds' own libraries exchange the identity, so no cloud has a step of its own here and no
secret of theirs is stored: AWS by AWS_WEB_IDENTITY_TOKEN_FILE, Google by a credentials file of the type
`external_account`, Azure by AZURE_FEDERATED_TOKEN_FILE. Does not say who may log in (docs/team.md).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops.unattended.errors import UnattendedError

SECRETS: Final = (
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_ACCESS_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "CLOUDFLARE_API_TOKEN",
    "SSH_PRIVATE_KEY",
)
"""Variables whose values are shown nowhere; in GitHub the secrets of an environment."""
VARIABLES: Final = (
    "AWS_ROLE_ARN",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "GOOGLE_WORKLOAD_IDENTITY_PROVIDER",
    "GOOGLE_SERVICE_ACCOUNT",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "SSH_KNOWN_HOSTS",
    "VIDEOBACKEND_RUNNER_IS_DOCKER_HOST",
)
"""What else a log-in needs; in GitHub variables of the repository or an environment."""
_GOOGLE: Final = "https://sts.googleapis.com/v1/token"
_SECONDS: Final = 30
_SSH: Final = """Host *
  IdentityFile "{directory}/key"
  IdentitiesOnly yes
  UserKnownHostsFile "{directory}/known_hosts"
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 15
  ServerAliveInterval 15
  ServerAliveCountMax 4
  ControlMaster auto
  ControlPath "{directory}/%C"
  ControlPersist 30
"""
"""One connection for all that the provider opens; nothing asks, nothing waits for ever."""

Fetch = Callable[[str, str], bytes]
"""Address and bearer token → the answer."""


@contextmanager
def logged_in(environ: Mapping[str, str], fetch: Fetch | None = None) -> Iterator[dict[str, str]]:
    """The environment for the engine's commands.

    Args:
        environ: the job's own; `VARS` in it may hold VARIABLES as a JSON object.
        fetch: gets CI's identity token.

    Raises:
        UnattendedError: what is given cannot be a log-in.
    """
    given = {name: value for name, value in environ.items() if name not in ("VARS", *SECRETS, *VARIABLES) or value}
    given.pop("VARS", None)
    found = json.loads(environ.get("VARS") or "{}")
    given |= {name: str(found[name]) for name in VARIABLES if found.get(name) and not given.get(name)}
    _check(given)
    directory = Path(tempfile.mkdtemp(prefix="videobackend-"))
    try:
        token = _Identity(environ, fetch or _fetch)
        yield {
            **{name: value for name, value in given.items() if not name.startswith("SSH_") or name == "SSH_AUTH_SOCK"},
            **_clouds(given, token, directory),
            **_ssh(given, directory),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _check(given: Mapping[str, str]) -> None:
    url = given.get("PULUMI_BACKEND_URL", "")
    if not url and not given.get("PULUMI_ACCESS_TOKEN"):
        where = (
            "Dependabot's secrets" if given.get("GITHUB_ACTOR") == "dependabot[bot]" else "the environment's secrets"
        )
        raise UnattendedError(f"neither PULUMI_BACKEND_URL nor PULUMI_ACCESS_TOKEN is among {where} (docs/team.md)")
    if url.startswith("file:") and given.get("RUNNER_ENVIRONMENT") == "github-hosted":
        raise UnattendedError(
            "PULUMI_BACKEND_URL is a directory of a runner that is gone after the run, and the state with it: use a bucket, "
            "or a runner of your own"
        )
    if given.get("SSH_PRIVATE_KEY") and not given.get("SSH_KNOWN_HOSTS"):
        raise UnattendedError(
            "SSH_PRIVATE_KEY is set and SSH_KNOWN_HOSTS is not, so nobody would know whom the key is shown to: "
            "ssh-keyscan -t ed25519 HOST, and compare with the host's own key (docs/team.md)"
        )


class _Identity:
    """CI's identity for an audience: GitHub hands out one for each, GitLab one that the job names."""

    def __init__(self, environ: Mapping[str, str], fetch: Fetch) -> None:
        self._environ, self._fetch = environ, fetch

    def token(self, audience: str) -> str:
        address = self._environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        if not address:
            if given := self._environ.get("OIDC_TOKEN"):
                return given
            raise UnattendedError("a log-in by OIDC needs the job's permission id-token: write (GitLab: id_tokens)")
        bearer = self._environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        answer = self._fetch(f"{address}&audience={urllib.parse.quote(audience, safe='')}", bearer)
        return str(json.loads(answer)["value"])


def _fetch(address: str, bearer: str) -> bytes:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {bearer}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 (the runner's own address)
            content: bytes = answer.read()
            return content
    except urllib.error.URLError as error:
        raise UnattendedError(f"CI hands out no identity: {error}") from None


def _clouds(given: Mapping[str, str], identity: _Identity, directory: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if given.get("AWS_ROLE_ARN"):
        file = _keep(directory / "aws", identity.token("sts.amazonaws.com"))
        found |= {"AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_SESSION_NAME": "videobackend"}
    if provider := given.get("GOOGLE_WORKLOAD_IDENTITY_PROVIDER"):
        audience = f"//iam.googleapis.com/{provider}"
        credentials = {
            "type": "external_account",
            "audience": audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": _GOOGLE,
            "credential_source": {"file": _keep(directory / "google", identity.token(f"https:{audience}"))},
        }
        if account := given.get("GOOGLE_SERVICE_ACCOUNT"):
            credentials["service_account_impersonation_url"] = (
                f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
            )
        found["GOOGLE_APPLICATION_CREDENTIALS"] = _keep(directory / "google.json", json.dumps(credentials))
    if given.get("AZURE_CLIENT_ID"):
        found["AZURE_FEDERATED_TOKEN_FILE"] = _keep(directory / "azure", identity.token("api://AzureADTokenExchange"))
    return found


def _ssh(given: Mapping[str, str], directory: Path) -> dict[str, str]:
    """A PATH on which `ssh` is one with this key and these hosts alone; the user's own ~/.ssh is left as it is."""
    key, real = given.get("SSH_PRIVATE_KEY"), shutil.which("ssh", path=given.get("PATH"))
    if not key:
        return {}
    if real is None:
        raise UnattendedError("docker:host is reached by ssh, which is not installed")
    _keep(directory / "key", key.strip().replace("\r", "") + "\n")
    _keep(directory / "known_hosts", given["SSH_KNOWN_HOSTS"].strip() + "\n")
    config = _keep(directory / "config", _SSH.format(directory=directory))
    (directory / "bin").mkdir()
    script = directory / "bin" / "ssh"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(real)} -F {shlex.quote(config)} "$@"\n')
    script.chmod(0o700)
    return {"PATH": f"{script.parent}{os.pathsep}{given.get('PATH', '')}"}


def _keep(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return str(path)
