"""Configuration values that the tests give: for each secret key one that its check takes and that can be recognised."""

from __future__ import annotations

from typing import Final

from components.config.keys import KEYS
from components.config.load import load as load_settings
from components.config.settings import Settings
from components.stack import services
from components.stack.services import coturn
from components.stack.spec import ContainerSpec, SecretText
from tests.pem import certificate

_CERTIFICATE, _PRIVATE_KEY = certificate("onlineberatung.local", "video.example.org")

OWN_SECRETS: Final = {
    **{name: f"own-{name}-9f86d081884c7d659a2feaa0c55ad015" for name, key in KEYS.items() if key.secret},
    "tlsCertificate": _CERTIFICATE,
    "tlsPrivateKey": _PRIVATE_KEY,
}
"""Keys are told by `KEYS`, so a new secret key joins every test of secrecy by itself."""

DOMAIN: Final = {
    "publicUrl": "https://video.example.org",
    "httpPort": "80",
    "httpsPort": "443",
    "letsencryptEmail": "admin@example.org",
    "bindAddress": "0.0.0.0,::",
    "jvbBindAddress": "0.0.0.0,::",
    "dockerHostAddress": "203.0.113.10,10.1.2.3,2001:0DB8::00A",
    "embeddedBy": "https://app.example.org",
}
"""A public name with a public IPv4, a private and a public IPv6 address."""

TLS_OWN: Final = {"tls": "own", "tlsCertificate": _CERTIFICATE, "tlsPrivateKey": _PRIVATE_KEY}

STATISTICS: Final = {
    "enableStatistics": "true",
    "rabbitUrl": "https://mq.example.org:15671/api/exchanges/%2F/statistics.topic/publish",
    "rabbitUsername": "statistics",
    "rabbitPassword": OWN_SECRETS["rabbitPassword"],
}

VIDEO_SERVICE: Final = {
    "videoServiceUrl": "https://app.example.org/service",
    "keycloakUrl": "https://keycloak.example.org/auth",
    "keycloakClientId": "app",
    "videoServiceUsername": "jitsi-technical",
    "videoServicePassword": OWN_SECRETS["videoServicePassword"],
}

TURN_EXTERNAL: Final = {"turn": "external", "turnHost": "turn.example.org", "turnSecret": OWN_SECRETS["turnSecret"]}

DNS: Final = {"dnsZone": "example.org"}


def load(**values: str) -> Settings:
    """Settings of stack `dev` with these keys set, secret ones encrypted."""
    if "tlsCertificate" in values:
        values.setdefault("tls", "own")
    return load_settings(values, stack="dev", secret_keys=OWN_SECRETS.keys())


def container(role: str, settings: Settings) -> ContainerSpec:
    """The stack's container of this role."""
    return next(spec for spec in services.specs(settings) if spec.role == role)


def coturn_file(settings: Settings, secret: str) -> str:
    """The configuration that the stack's own TURN server is given."""
    (content,) = [file.content for file in container("coturn", settings).files if file.path == coturn.CONFIG]
    assert isinstance(content, SecretText)
    return content.render(secret)
