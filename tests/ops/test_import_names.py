"""Which variable of docker-jitsi-meet goes where, and what the public repositories' own files come to."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from components.config.tables import image_variables
from ops.importer import chart, checkout, dotenv_file, lua_file, mapping, names, outcome
from ops.importer.source import SERVICES, Source, Variable

GIVEN = "9f86d081884c7d659a2feaa0c55ad015"
KNOWN = {*names.DEAD, *names.FIXED, *names.STARTED, *names.ABSENT, *names.UNREAD, *names.SERVICES_READING}
PAIRS = (
    ("ENABLE_LOBBY", "no", "enableLobby", "false"),
    ("ENABLE_GUESTS", "T", "enableGuests", "true"),
    ("PUBLIC_URL", "video.beratung.test:8443/", "publicUrl", "https://video.beratung.test:8443"),
    ("DOCKER_HOST_ADDRESS", "10.0.0.1, 10.0.0.2", "dockerHostAddress", "10.0.0.1,10.0.0.2"),
    ("JVB_ADVERTISE_IPS", "10.0.0.1#9000", "dockerHostAddress", "10.0.0.1#9000"),
    ("JVB_STUN_SERVERS", "stun.beratung.test:3478", "stunServers", "stun.beratung.test:3478"),
    ("JITSI_IMAGE_REPO", "registry.beratung.test/jitsi", "imageRegistry", "registry.beratung.test/jitsi"),
    ("JITSI_IMAGE_VERSION", "stable-11200", "jitsiRelease", "stable-11200"),
    ("DISABLE_HTTPS", "1", "tls", "proxy"),
    ("XMPP_MUC_MODULES", "close_room,,token_moderation", "xmppMucModules", "close_room,token_moderation"),
    ("TZ", "UTC", "timeZone", "UTC"),
    ("TURN_HOST", "turn.beratung.test", "turnPort", "443"),
    ("TURNS_HOST", "turn.beratung.test", "turnHost", "turn.beratung.test"),
)
"""Variable and value, and what they become."""
NEEDLESS = (
    ("XMPP_MUC_MODULES", "create_room,token_moderation,token_lobby_bypass,close_room,lobby_autostart"),
    ("XMPP_MODULES", "persistent_lobby"),
    ("JVB_STUN_SERVERS", "meet-jit-si-turnrelay.jitsi.net:443"),
    ("JITSI_IMAGE_VERSION", "stable-7210-2"),
    ("JITSI_IMAGE_REPO", "jitsi"),
    ("SENTRY_DSN", '"0"'),
    ("ENABLE_LETSENCRYPT", "0"),
    ("LETSENCRYPT_EMAIL", "alice@beratung.test"),
    ("TURN_PORT", "443"),
    ("JWT_ALLOW_EMPTY", "1"),
    ("JIBRI_XMPP_USER", "jibri"),
)


def of(*variables: Variable) -> outcome.Outcome:
    return mapping.outcome_of(Source(path=Path(".env"), kind="", variables=variables))


def test_a_value_becomes_what_its_key_takes() -> None:
    wrong = {}
    for name, value, key, expected in PAIRS:
        result = of(Variable(name, value, ".env:1"))
        if result.faults or result.config.get(key) != expected:
            wrong[name] = result
    assert not wrong


def test_what_changes_nothing_is_told_as_needless() -> None:
    wrong = {}
    for name, value in NEEDLESS:
        result = of(Variable(name, value, ".env:1"))
        if result.config or result.secrets or result.lost or result.faults or not result.needless:
            wrong[name] = result
    assert not wrong


def test_every_name_stands_in_one_group() -> None:
    groups = (
        names.DEAD,
        names.FIXED,
        names.STARTED,
        names.ABSENT,
        names.UNREAD,
        names.SERVICES_READING,
        outcome.BY_ENV,
    )
    twice = {name for one in groups for other in groups if one is not other for name in set(one) & set(other)}
    assert not twice
    assert set(image_variables.SERVICES) == set(SERVICES)


def test_what_an_image_reads_has_a_place() -> None:
    by_hand = {"CONFIG", "CUSTOMFILES"}
    read = {name for service in SERVICES for name in image_variables.read_by(service)}
    placed = KNOWN | set(outcome.BY_ENV) | set(mapping.SPECIAL) | set(mapping.TURN) | set(outcome.KEY_OF) | by_hand
    assert not read - placed


def test_a_variable_that_no_container_gets_had_no_effect() -> None:
    result = of(
        Variable("ENABLE_LOBBY", "0", ".env:1", frozenset()), Variable("NEVER_HEARD", "0", ".env:2", frozenset())
    )
    assert not result.config
    assert [name for name, _ in result.needless] == ["ENABLE_LOBBY", "NEVER_HEARD"]
    [(name, reason)] = of(Variable("ENABLE_LOBY", "0", ".env:1")).lost
    assert name == "ENABLE_LOBY"
    assert "did you mean ENABLE_LOBBY?" in reason


def test_two_values_of_one_key_are_a_fault_in_either_order() -> None:
    for first, second in (("0", "1"), ("1", "0")):
        result = of(Variable("ENABLE_LOBBY", first, "a:1"), Variable("ENABLE_LOBBY", second, "b:1"))
        assert [fault.place for fault in result.faults] == ["b:1, ENABLE_LOBBY"]
    assert not of(Variable("ENABLE_LOBBY", "1", "a:1"), Variable("ENABLE_LOBBY", "yes", "b:1")).faults


def test_lua_assignments_are_read_and_what_would_have_to_be_run_is_not() -> None:
    text = """
    -- a comment
    a = "x\\"y\\n" --[[ another
    ]] b = 'z'; c = [[long]]
    d = true e = 12
    """
    assert lua_file.assignments(text) == ({"a": 'x"y\n', "b": "z", "c": "long", "d": "true", "e": "12"}, None)
    for code in (
        "a = b",
        "a = 'x' .. 'y'",
        "local a = 1",
        "a = {}",
        "a = os.getenv('X')",
        "a = 'open",
        "f()",
        "a = 'x\\q'",
    ):
        assert lua_file.assignments(f"\n{code}\n")[1] == 2, code


STOP_CALL = """
videoserviceurl = "https://videoservice.beratung.test"
enable_persistent_rooms = "true"
keycloak_auth_server_url = "https://keycloak.beratung.test/auth"
keycloak_app_client_id = "app"
jitsi_technical_username = "technical"
jitsi_technical_password = "60303ae22b998861bce3b28f33eec1be"
"""


def test_the_stop_call_of_the_platform_comes_along_where_it_is_on(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PUBLIC_URL=https://video.beratung.test\nCONFIG=conf\n")
    file = tmp_path / "conf/prosody/conf.d/videoservice.cfg.lua"
    file.parent.mkdir(parents=True)
    file.write_text(STOP_CALL)
    result = mapping.outcome_of(checkout.read(tmp_path))
    assert result.config == {
        "publicUrl": "https://video.beratung.test",
        "videoServiceUrl": "https://videoservice.beratung.test",
        "keycloakUrl": "https://keycloak.beratung.test/auth",
        "keycloakClientId": "app",
        "videoServiceUsername": "technical",
    }
    assert set(result.secrets) == {"videoServicePassword"}
    file.write_text(STOP_CALL.replace('rooms = "true"', 'rooms = "false"'))
    result = mapping.outcome_of(checkout.read(tmp_path))
    assert set(result.config) == {"publicUrl"}
    assert not result.secrets
    assert not result.lost


def _upstream(variable: str) -> Path:
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no checkout")
    return Path(found)


def _filled(given: Path, sample: str, tmp_path: Path) -> Path:
    """A copy of a checkout whose sample is its `.env`, with passwords as its script makes them."""
    root = tmp_path / "checkout"
    shutil.copytree(given, root)
    text = (root / sample).read_text()
    count = iter(range(100))
    text = re.sub(
        r"^(\w*(?:PASSWORD|COMPONENT_SECRET))=$",
        lambda match: f"{match[1]}={GIVEN[:-2]}{next(count):02}",
        text,
        flags=re.M,
    )
    (root / ".env").write_text(text)
    return root


@pytest.mark.parametrize(
    ("variable", "sample"),
    [
        ("VIDEOBACKEND_CHECKOUT", ".env.sample"),
        ("DOCKER_JITSI_MEET_OLD", "env.example"),
        ("DOCKER_JITSI_MEET", "env.example"),
    ],
)
def test_a_public_checkout_has_nothing_inexpressible(variable: str, sample: str, tmp_path: Path) -> None:
    result = mapping.outcome_of(
        checkout.read(_filled(_upstream(variable), sample, tmp_path)), branding_dir="branding/x"
    )
    assert not result.lost
    assert not result.faults
    assert len(result.secrets) >= 5


@pytest.mark.parametrize("variable", ["DOCKER_JITSI_MEET_OLD", "DOCKER_JITSI_MEET"])
def test_no_variable_of_docker_jitsi_meet_is_unknown(variable: str) -> None:
    root = _upstream(variable)
    services = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    handed = {str(item).partition("=")[0] for one in services.values() for item in one["environment"]}
    sample = set(re.findall(r"^#?(\w+)=", (root / "env.example").read_text(), flags=re.M))
    unknown = {
        name
        for name in handed | sample
        if any("no such name" in why or "did you mean" in why for _, why in of(Variable(name, "1", ".env:1")).lost)
    }
    assert len(handed | sample) > 200
    assert not unknown


def test_the_platform_s_chart_has_its_known_secrets_refused_and_nothing_inexpressible() -> None:
    result = mapping.outcome_of(chart.read(_upstream("PLATFORM_CHART")))
    assert not result.lost
    assert set(outcome.GENERATED) <= {fault.renewable for fault in result.faults}


def test_what_has_no_key_goes_on_to_the_containers_that_got_it_and_a_secret_encrypted() -> None:
    both = frozenset(("web", "prosody"))
    result = of(
        Variable("PROSODY_REGION_NAME", "20", "a:1", frozenset(("prosody",))),
        Variable("ENABLE_TRANSCRIPTIONS", "1", "a:2", both),
        Variable("MATRIX_UVS_AUTH_TOKEN", GIVEN, "a:3"),
        Variable("START_AUDIO_MUTED", "5", "a:4", frozenset(("prosody",))),
    )
    assert result.environment["prosody"]["PROSODY_REGION_NAME"] == "20"
    assert result.environment["web"] == {"ENABLE_TRANSCRIPTIONS": "1"}
    assert result.environment_secrets == {"environment.prosody.MATRIX_UVS_AUTH_TOKEN": GIVEN}
    assert [name for name, _ in result.needless] == ["START_AUDIO_MUTED"]
    assert not [line for line in result.taken if GIVEN in str(line)]
    refused = (("MATRIX_UVS_AUTH_TOKEN", "<token>"), ("TOKEN_AUTH_URL", "<url>"), ("PROSODY_REGION_NAME", 'a"b'))
    for name, value in refused:
        assert [fault.place for fault in of(Variable(name, value, "a:1")).faults] == [f"a:1, {name}"], name


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    from ops.errors import OpsError

    (tmp_path / "x").write_bytes(b"\xff\xfeA\x00")
    with pytest.raises(OpsError, match="is not UTF-8"):
        dotenv_file.text_of(tmp_path / "x")
