"""nginx of Debian takes every certificate that is taken, and not those that it would stop at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.config import checks
from components.config.certificate import certificate_faults
from tests.unit.test_certificate import DECORATED, HOST, REFUSED, TAKEN, made

Run = Callable[..., str]

STOPPED_AT_BY_NGINX = ("RSA of 1024 bits",)
"""The others of REFUSED are refused by browsers."""


def takes(folder: Path, chain: str, key: str) -> bool:
    """Whether nginx would start with them."""
    (folder / "cert.crt").write_text(chain)
    (folder / "cert.key").write_text(key)
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; events {{}} http {{ access_log off; {temporary} server {{ listen 127.0.0.1:1 ssl; "
        f"ssl_certificate {folder}/cert.crt; ssl_certificate_key {folder}/cert.key; }} }}\n"
    )
    command = ["nginx", "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    log = done.stderr + ((folder / "log").read_text() if (folder / "log").exists() else "")
    assert done.returncode == 0 or "SSL_CTX_use_certificate" in log or "bind()" in log, log
    return "SSL_CTX_use_certificate" not in log


@pytest.mark.parametrize("kind", TAKEN)
def test_nginx_takes_what_the_check_takes(run: Run, tmp_path: Path, kind: str) -> None:
    run("nginx", "-v")
    chain, key = made(TAKEN[kind])
    assert takes(tmp_path, checks.certificate_chain(chain), checks.private_key(key))


@pytest.mark.parametrize("decoration", DECORATED)
def test_nginx_takes_the_blocks_that_are_passed_on(run: Run, tmp_path: Path, decoration: str) -> None:
    run("nginx", "-v")
    chain, key = (DECORATED[decoration].replace("{}", text) for text in made({}))
    assert takes(tmp_path, checks.certificate_chain(chain), checks.private_key(key))


@pytest.mark.parametrize("kind", STOPPED_AT_BY_NGINX)
def test_what_nginx_stops_at_is_refused(run: Run, tmp_path: Path, kind: str) -> None:
    run("nginx", "-v")
    chain, key = made(REFUSED[kind][0])
    assert not takes(tmp_path, chain, key)
    assert list(certificate_faults(chain, HOST))


def test_a_certificate_signed_with_sha_1_is_refused(run: Run, tmp_path: Path) -> None:
    """Browsers refuse it, and OpenSSL where it is not self-signed."""
    key, chain = tmp_path / "key.pem", tmp_path / "cert.pem"
    wanted = ("-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(chain), "-subj", f"/CN={HOST}")
    run("openssl", "req", "-x509", "-sha1", *wanted, "-addext", f"subjectAltName=DNS:{HOST}")
    faults = list(certificate_faults(chain.read_text(), HOST))
    assert any("this one is signed with SHA1" in fault for fault in faults), faults


def test_an_rsa_pss_key_is_refused(run: Run, tmp_path: Path) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "cert.pem"
    run("openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key))
    wanted = ("-key", str(key), "-out", str(chain), "-subj", f"/CN={HOST}")
    run("openssl", "req", "-x509", "-sha256", *wanted, "-addext", f"subjectAltName=DNS:{HOST}")
    faults = list(certificate_faults(chain.read_text(), HOST))
    assert any("browsers do not take RSA-PSS keys" in fault for fault in faults), faults
