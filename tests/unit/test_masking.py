"""What has credentials in it is repeated by no message, whatever the key and whatever the fault."""

from __future__ import annotations

import itertools

import pytest

from components.config.keys import KEYS
from components.config.load import load
from components.config.masking import CREDENTIALS, masked
from components.config.problems import SettingsError
from tests.unit.given import GOOD
from tests.values import OWN_SECRETS

PASSWORD = "hunter2secret"
WITH_CREDENTIALS = [
    f"https://deploy:{PASSWORD}@reg.example.org/jitsi",
    f"https://deploy:{PASSWORD}/more@reg.example.org/jitsi",
    f"https://{PASSWORD}@reg.example.org/jitsi",
    f"deploy:{PASSWORD}@reg.example.org",
    f"deploy:{PASSWORD}@reg.example.org:3478",
    f"stun:deploy:{PASSWORD}@stun.example.org:3478",
    f"amqp://deploy:{PASSWORD}@mq:5672/%2F",
    f"https://video.example.org/room?jwt={PASSWORD}",
    f"https://video.example.org/room#jwt={PASSWORD}",
    f"https://video.example.org/room?token={PASSWORD}",
    f"https://video.example.org/?password={PASSWORD}",
    f"https://video.example.org/#access_token={PASSWORD}",
    f"https://deploy:{PASSWORD}%40reg.example.org",
    f"api_key: {PASSWORD}",
    f"Bearer {PASSWORD}",
    f"deploy:{PASSWORD}",
    f"deploy: {PASSWORD}",
    f"docker:{PASSWORD}",
    f"1234:{PASSWORD}",
]
FREE = {
    "letsencryptAcmeServer",
    "jwtAppId",
    "jwtAcceptedIssuers",
    "jwtAcceptedAudiences",
    "brandingDir",
    "rabbitUsername",
    "keycloakRealm",
    "keycloakClientId",
    "videoServiceUsername",
}
"""Keys that take nearly any text."""


def test_no_message_repeats_them() -> None:
    names = [name for name, key in KEYS.items() if not key.secret and name not in FREE]
    for name, text, around in itertools.product(names, WITH_CREDENTIALS, ["{}", "{} ", "{},{}", " x,{}"]):
        assert PASSWORD not in refusal(name, around.replace("{}", text)), (name, text)


def test_not_even_of_keys_that_take_nearly_any_text() -> None:
    for name, text in itertools.product(sorted(FREE), WITH_CREDENTIALS):
        assert PASSWORD not in refusal(name, f'{text}\n",\\:'), (name, text)


def refusal(name: str, text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load({name: text}, stack="dev", secret_keys=OWN_SECRETS.keys())
    return str(refused.value)


def test_a_password_of_digits_is_one_where_no_port_can_stand() -> None:
    for text in ("admin:1234", "admin: 1234", "1000:123456", "max.muster:123456", "stun.example.org:1,admin:1234"):
        assert masked(text) == CREDENTIALS, text


def test_other_values_are_shown_as_they_are() -> None:
    for name, values in GOOD.items():
        for text, _ in values:
            assert KEYS[name].secret or masked(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("ssh.example.org", "ssh://deploy@host", "mailto:admin@example.org", "https://a.example.org:${HTTPS_PORT}"),
        *("video.example.org:port", "443:443", "0.0.0.0:443", "2001:db8::1", "stun:stun.example.org:3478", "443/tcp"),
        *("ghcr.io/jitsi:latest", "on-failure:3", "token_moderation;close_room", "http://mq:1/api/exchanges/a%40b/c"),
    ],
)
def test_what_only_looks_alike_is_shown(text: str) -> None:
    assert masked(text) == text
