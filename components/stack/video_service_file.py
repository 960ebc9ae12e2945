"""Prosody's settings for telling the VideoService of a call's end: a file of its own, where that is configured.

Owns the names of the options in it, which prosody/plugins/call_receivers.lib.lua reads. Quoting is `statistics_file`'s
business.
"""

from __future__ import annotations

from components.config.values import VideoService
from components.stack import topology
from components.stack.credentials import VIDEO_SERVICE_PASSWORD
from components.stack.spec import FileSpec, SecretText
from components.stack.statistics_file import lua_string


def render_video_service_lua(
    *, url: str, keycloak_url: str, realm: str, client_id: str, username: str, password: str
) -> str:
    """The file that Prosody includes; the arguments are those of `VideoService`."""
    values = {
        "video_service_url": url,
        "keycloak_url": keycloak_url,
        "keycloak_realm": realm,
        "keycloak_client_id": client_id,
        "video_service_username": username,
        "video_service_password": password,
    }
    lines = ["-- Written by videobackend: change the stack's configuration, not this file."]
    return "\n".join([*lines, *(f"{name} = {lua_string(value)}" for name, value in values.items())]) + "\n"


def files(service: VideoService | None) -> tuple[FileSpec, ...]:
    """The file of a stack; none where nobody is told."""
    if service is None:
        return ()
    content = SecretText(
        made_from=(VIDEO_SERVICE_PASSWORD,),
        render=lambda password: render_video_service_lua(
            url=service.url,
            keycloak_url=service.keycloak_url,
            realm=service.realm,
            client_id=service.client_id,
            username=service.username,
            password=password,
        ),
    )
    return (FileSpec(path=topology.VIDEO_SERVICE_FILE, content=content),)
