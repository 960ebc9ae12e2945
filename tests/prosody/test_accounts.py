"""Changed passwords of Jitsi's accounts, with the data kept."""

from __future__ import annotations

import signal

import pytest

from tests.prosody.configuration import AUTH_DOMAIN, FOCUS, Setup
from tests.prosody.people import Person, RefusedError
from tests.prosody.servers import Installation, Prosody, free_port

pytestmark = pytest.mark.prosody

ACCOUNTS = {
    FOCUS: "JICOFO_AUTH_PASSWORD",
    f"jvb@{AUTH_DOMAIN}": "JVB_AUTH_PASSWORD",
    f"jibri@{AUTH_DOMAIN}": "JIBRI_XMPP_PASSWORD",
    f"jigasi@{AUTH_DOMAIN}": "JIGASI_XMPP_PASSWORD",
}


async def can_log_in(prosody: Prosody, jid: str, password: str) -> bool:
    person = Person(prosody.setup.c2s_port, jid, password)
    try:
        await person.arrive()
    except RefusedError:
        return False
    await person.leave_server()
    return True


async def test_a_changed_password_takes_effect_with_the_data_kept(installation: Installation) -> None:
    """From the first login after the start on: the new one works, the old one does not, and neither is in the log."""
    setup = Setup(c2s_port=free_port(), http_port=free_port())
    environment = {variable: f"new {variable}" for variable in ACCOUNTS.values()}
    prosody = Prosody(installation, setup, environment)
    try:
        prosody.prepare()
        for jid in ACCOUNTS:
            prosody.create_account(jid, "old-password")
        prosody.start()
        for jid, variable in ACCOUNTS.items():
            assert await can_log_in(prosody, jid, environment[variable]), f"{jid} with the new password"
            assert not await can_log_in(prosody, jid, "old-password"), f"{jid} with the old password"
        kept = {file: file.read_bytes() for file in (prosody.directory / "data").rglob("accounts/*.dat")}
        assert len(kept) == len(ACCOUNTS)
        prosody.stop(signal.SIGTERM)
        prosody.start()
        assert kept == {file: file.read_bytes() for file in kept}, "an unchanged password is not written again"
        assert not any(password in prosody.log for password in ["old-password", *environment.values()])
    finally:
        prosody.remove()


async def test_accounts_without_a_variable_or_missing_are_left_alone(installation: Installation) -> None:
    """Making accounts is the image's part, and what the environment does not name keeps its password."""
    setup = Setup(c2s_port=free_port(), http_port=free_port())
    prosody = Prosody(installation, setup, {"JVB_AUTH_PASSWORD": "a-password", "JICOFO_AUTH_PASSWORD": ""})
    try:
        prosody.prepare()
        prosody.create_account(FOCUS, "kept-password")
        prosody.start()
        assert await can_log_in(prosody, FOCUS, "kept-password")
        assert not await can_log_in(prosody, f"jvb@{AUTH_DOMAIN}", "a-password"), "no account was made"
    finally:
        prosody.remove()
