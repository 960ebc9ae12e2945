"""Accounts have the passwords that were set: of the image, by `prosodyctl shell user create JID PASSWORD` (Prosody 13), and of an
operator, by `prosodyctl register NAME HOST PASSWORD` (0.12 too), both through a shell.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consumers import alphabet
from tests.prosody.configuration import Setup
from tests.prosody.servers import Installation, Prosody, find_installations, free_port

HOST = "auth.meet.jitsi"

CREATE = """
while IFS=' ' read -r JID PASSWORD; do
    prosodyctl --config $PROSODY_CFG shell user create $JID $PASSWORD < /dev/null
done
"""
"""As register-setup of the prosody image does it: through a shell, unquoted."""

REGISTER = """
while IFS=' ' read -r JID PASSWORD; do
    prosodyctl --config $PROSODY_CFG register ${JID%@*} ${JID#*@} $PASSWORD < /dev/null
done
"""
"""As docs/settings.md has it, for authType internal, and images before Prosody 13 did."""


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    """A Prosody 13; 0.12's shell knows no `user create` with a password."""
    found = [one for one in find_installations().values() if isinstance(one, Installation)]
    found = [one for one in found if one.version().startswith("13.")]
    if not found:
        pytest.skip("no Prosody 13 on this machine or in PROSODY_CHROOT")
    server = Prosody(found[0], Setup(c2s_port=free_port(), http_port=free_port()))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def old_prosody() -> Iterator[Prosody]:
    """A Prosody 0.12 that does not run: `register` writes the accounts itself."""
    found = [one for one in find_installations().values() if isinstance(one, Installation)]
    found = [one for one in found if one.version().startswith("0.12.")]
    if not found:
        pytest.skip("no Prosody 0.12 on this machine or in PROSODY_CHROOT")
    server = Prosody(found[0], Setup(c2s_port=free_port(), http_port=free_port()))
    try:
        server.prepare()
        yield server
    finally:
        server.remove()


def create(prosody: Prosody, accounts: dict[str, str], script: str = CREATE) -> None:
    given = "".join(f"{name}@{HOST} {password}\n" for name, password in accounts.items())
    script = script.replace("$PROSODY_CFG", f"{prosody.inside}/prosody.cfg.lua")
    command = prosody.installation.command("sh", "-c", script)
    subprocess.run(command, input=given, text=True, capture_output=True, timeout=110, check=False)


def stored(prosody: Prosody, name: str, password: str) -> bool:
    """Whether the account's SCRAM keys (RFC 5802) are those of the password."""
    file = Path(prosody.directory) / "data" / HOST.replace(".", "%2e") / "accounts" / f"{name}.dat"
    if not file.exists():
        return False
    text = file.read_text()
    found = dict(re.findall(r'\["(\w+)"\] = "?([^";]+)"?;', text))
    if "salt" not in found:
        return False
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), found["salt"].encode(), int(found["iteration_count"]))
    key = hmac.digest(salted, b"Client Key", "sha1")
    return bool(found["stored_key"] == hashlib.sha1(key).hexdigest())


def all_passwords() -> dict[str, str]:
    """By account; each character once in first place and once in last, two of them in one password to halve the time."""
    passwords = alphabet.passwords()
    joined = [f"{begin}{end}" for begin, end in zip(passwords[0::2], passwords[1::2], strict=False)]
    assert {password[0] for password in joined} == set(alphabet.PASSWORD_CHARACTERS) - set("-=:")
    return {f"u{number}": password for number, password in enumerate(joined)}


def test_every_password_that_the_check_takes_arrives(prosody: Prosody) -> None:
    accounts = all_passwords()
    create(prosody, accounts)
    assert [password for name, password in accounts.items() if not stored(prosody, name, password)] == []


def test_every_password_that_the_check_takes_arrives_in_an_older_prosody(old_prosody: Prosody) -> None:
    accounts = all_passwords()
    create(old_prosody, accounts, REGISTER)
    assert [password for name, password in accounts.items() if not stored(old_prosody, name, password)] == []


def test_what_the_check_refuses_makes_no_account_or_another_one(prosody: Prosody) -> None:
    refused = {"colon": ":abcdefghijklmn", "blank": "two words-in-it", "star": "abcdefghijkl*{a,b}"}
    create(prosody, refused)
    assert not stored(prosody, "colon", refused["colon"])
    assert not stored(prosody, "blank", refused["blank"])
