"""What has credentials in it is repeated by no message, whatever the key and whatever the fault."""

from __future__ import annotations

import pytest

from components.config.keys import KEYS
from components.config.load import load
from components.config.masking import masked
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
]
FREE = {
    "letsencryptAcmeServer",
    "jwtAppId",
    "jwtAcceptedIssuers",
    "jwtAcceptedAudiences",
    "brandingDir",
    "rabbitUsername",
}
"""Keys that take nearly any text."""


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if not key.secret and name not in FREE])
@pytest.mark.parametrize("text", WITH_CREDENTIALS)
@pytest.mark.parametrize("around", ["{}", "{} ", "{},{}", " x,{}"])
def test_no_message_repeats_them(name: str, text: str, around: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({name: around.replace("{}", text)}, stack="dev", secret_keys=OWN_SECRETS.keys())
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in KEYS if name in FREE])
@pytest.mark.parametrize("text", WITH_CREDENTIALS)
def test_not_even_of_keys_that_take_nearly_any_text(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({name: f'{text}\n",\\:'}, stack="dev", secret_keys=OWN_SECRETS.keys())
    assert PASSWORD not in str(refused.value)


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
