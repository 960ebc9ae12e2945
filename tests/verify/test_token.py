"""`python -m ops token`: what the link holds, and what is refused."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from ops import join_link
from ops.__main__ import main
from ops.errors import OpsError
from tests.prosody.configuration import AUDIENCE, DOMAIN, ISSUER, SECRET
from tests.verify.outputs import outputs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs()))
    return path


def link(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict[str, Any], str]:
    """Runs the command; the link without its token, the token's verified claims, and stderr."""
    assert main(["token", "--outputs", str(file), *arguments]) == 0
    shown = capsys.readouterr()
    match = re.fullmatch(r"(\S+)\?jwt=(\S+)\n", shown.out)
    assert match
    claims = jwt.decode(match[2], SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
    return match[1], claims, shown.err


def test_a_guests_link_has_the_claims_that_prosody_asks_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, claims, _ = link(file, capsys, "--room", "Room-1")
    assert where == "https://video.verify.test:8443/room-1"
    assert claims.keys() == {"aud", "iss", "sub", "room", "exp"}, (
        "no moderator claim, and no nbf that a clock could miss"
    )
    assert (claims["sub"], claims["room"]) == (DOMAIN, "room-1")
    assert claims["exp"] == pytest.approx(time.time() + 3 * 3600, abs=5)


def test_a_moderators_link_says_so_at_the_top_level(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, claims, _ = link(file, capsys, "--room", "a", "--moderator", "--name", "Jörg", "--expires", "90m")
    assert claims["moderator"] is True
    assert claims["context"] == {"user": {"name": "Jörg"}}
    assert claims["exp"] == pytest.approx(time.time() + 90 * 60, abs=5)


def test_the_warning_calls_the_link_a_credential_and_is_not_on_stdout(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, warning = link(file, capsys, "--room", "a", "--moderator")
    assert "credential" in warning
    assert "moderator" in warning
    assert "eyJ" not in warning


def test_the_key_itself_is_nowhere(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "--outputs", str(file), "--room", "a"])
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err


@pytest.mark.parametrize("text", ["", "3", "0s", "59s", "25h", "86401s", "-1h", "3d", "1h30m", "9999999s"])
def test_a_life_that_is_not_between_a_minute_and_a_day_is_refused(text: str) -> None:
    with pytest.raises(OpsError, match=r"--expires is .*, allowed is 1m to 24h") as caught:
        join_link.lifetime(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("1m", 60), ("24h", 86400), ("1440m", 86400)])
def test_the_bounds_themselves_are_allowed(text: str, seconds: int) -> None:
    assert join_link.lifetime(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "*", "a/b", "a b", "a?b", "a#b", "[t]a", "-a", "ä", "a\n", "a" * 101, "config.js"]
)
def test_a_room_that_is_not_one_rooms_name_is_refused(text: str) -> None:
    with pytest.raises(OpsError, match=r"--room is .*, allowed is"):
        join_link.room_name(text)


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[31m", "a" * 101])
def test_a_name_that_is_not_printable_is_refused(text: str) -> None:
    with pytest.raises(OpsError, match="--name is"):
        join_link.display_name(text)


def test_a_stack_that_takes_no_tokens_gives_none(tmp_path: Path) -> None:
    found = outputs(facts={"auth": {"token": None}})
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(found))
    with pytest.raises(OpsError, match="takes no tokens"):
        main(["token", "--outputs", str(file), "--room", "a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ("{}", "publicUrl"),
        (json.dumps(outputs(publicUrl="http://a")), "publicUrl"),
        (json.dumps(outputs(credentials={"jwt_app_secret": ""})), "jwt_app_secret"),
        (json.dumps(outputs(publicUrl="https://host:99999")), "publicUrl is 'https://host:99999', allowed is"),
        (json.dumps(outputs(publicUrl="https://[::1")), "publicUrl"),
        (json.dumps(outputs(dnsRecords=5)), "dnsRecords is no list"),
        (json.dumps({**outputs(), "facts": None}), "facts is missing: bring the stack up"),
        (json.dumps({**outputs(), "facts": {"version": 2}}), "facts has version 2, this program reads 1"),
        (json.dumps({**outputs(), "facts": {"version": 1}}), "facts has not the shape"),
        (json.dumps(outputs(facts={"timeouts": {"conference": "soon"}})), "facts has not the shape"),
        (json.dumps(outputs(credentials="[secret]", turn="[secret]")), r"hidden \(credentials, turn\).*--show-secrets"),
    ],
)
def test_outputs_that_cannot_be_used_are_named(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "outputs.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OpsError, match=said) as caught:
        main(["token", "--outputs", str(file), "--room", "a"])
    assert "\n" not in str(caught.value)
