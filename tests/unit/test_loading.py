"""What becomes of a configuration that is right: defaults, every key, and secrets that nobody decrypts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from components.config.checks import Invalid
from components.config.keys import KEYS
from components.config.secret import ENCRYPTED, Secret
from tests.unit.given import GOOD
from tests.unit.test_settings import SHORT, refused
from tests.values import DNS, DOMAIN, OWN_SECRETS, STATISTICS, TLS_OWN, TURN_EXTERNAL, VIDEO_SERVICE, load

# What is read


def test_an_empty_configuration_is_the_documented_defaults() -> None:
    settings = load()
    for key in KEYS.values():
        unset = () if key.name in ("dockerHostAddress", "environment") else None
        assert getattr(settings, key.attribute) == (key.check(key.default) if key.default else unset), key.name


def test_an_empty_value_is_as_good_as_none() -> None:
    """`pulumi config set KEY ""` takes a setting back."""
    assert load(**dict.fromkeys(KEYS, "")) == load()


@pytest.mark.parametrize("name", KEYS)
def test_every_key_reaches_its_attribute(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected = GOOD[name][0]
    if name == "brandingDir":
        (tmp_path / text / "css").mkdir(parents=True)
        (tmp_path / text / "css" / "all.css").write_text("body {}")
        monkeypatch.chdir(tmp_path)
    companions = {
        "enableStatistics": STATISTICS,
        "videoServiceUrl": VIDEO_SERVICE,
        "turn": TURN_EXTERNAL,
        "turnHost": TURN_EXTERNAL,
        "publicUrl": {"tls": "self-signed"},
        "tls": {**DOMAIN, "tls": "local-ca"},
        "tlsCertificate": TLS_OWN,
        "tlsPrivateKey": TLS_OWN,
        "dnsZoneId": {**DOMAIN, **DNS},
        "dnsZone": {**DOMAIN, "publicUrl": f"https://video.{expected}"},
    }
    settings = load(**{**companions.get(name, {}), name: text})
    got = getattr(settings, KEYS[name].attribute)
    assert (got.reveal() if isinstance(got, Secret) else got) == expected


def test_authentication_is_on_and_guests_are_out_by_default() -> None:
    settings = load()
    assert settings.enable_auth
    assert settings.token_auth
    assert not settings.enable_guests
    assert settings.token_moderation


def test_no_third_party_is_contacted_by_default() -> None:
    assert load().stun_servers is None


def test_without_tokens_only_the_modules_that_need_none_are_loaded() -> None:
    assert load().muc_modules == ("token_moderation", "close_room", "create_room")
    assert load(enableAuth="false").muc_modules == ("close_room",)
    assert load(authType="internal").muc_modules == ("close_room",)


def test_settings_show_no_secret() -> None:
    shown = repr(load(**OWN_SECRETS, **{name: value for name, value in STATISTICS.items() if name != "rabbitPassword"}))
    assert not [secret for secret in OWN_SECRETS.values() if secret in shown]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().http_port = 1  # type: ignore[misc]


# Encrypted values that nobody decrypts (`make plan`)


def test_an_encrypted_secret_counts_as_present() -> None:
    encrypted = dict.fromkeys(OWN_SECRETS, ENCRYPTED)
    statistics = {name: value for name, value in STATISTICS.items() if name != "rabbitPassword"}
    settings = load(**{**statistics, **encrypted})
    for name in OWN_SECRETS:
        assert getattr(settings, KEYS[name].attribute).reveal() == "[secret]"


@pytest.mark.parametrize("text", [ENCRYPTED, "statistics", f"{SHORT}:"])
def test_a_key_that_is_no_secret_is_refused_encrypted_and_not_shown(text: str) -> None:
    error = refused({"rabbitUsername": text}, secret_keys=frozenset({"rabbitUsername"}))
    (one,) = error.problems
    assert one.allowed == "plain text"
    assert one.config_arguments == ["set", "rabbitUsername", "VALUE"]
    assert one.given is None
    assert text not in str(error)


def test_no_value_passes_for_an_encrypted_one() -> None:
    for name in OWN_SECRETS:
        with pytest.raises(Invalid):
            KEYS[name].check(ENCRYPTED)
