"""Prosody is given what it needs to tell the VideoService of a call's end, where that is configured and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from components.stack import services, topology
from components.stack.spec import ContainerSpec, SecretText
from components.stack.video_service_file import render_video_service_lua
from tests.values import STATISTICS, VIDEO_SERVICE, container, load

MODULE = f"{topology.PROSODY_PLUGINS}/mod_stop_calls.lua"
ITS_OWN = {topology.VIDEO_SERVICE_FILE, MODULE}


def without_its_own(spec: ContainerSpec) -> ContainerSpec:
    return dataclasses.replace(spec, files=tuple(one for one in spec.files if one.path not in ITS_OWN))


def test_the_file_is_the_reviewed_one(golden: Callable[[str, str], None]) -> None:
    text = render_video_service_lua(
        url="https://app.example.org/service",
        keycloak_url="https://keycloak.example.org/auth",
        realm="online-beratung",
        client_id="app",
        username="jitsi-technical",
        password='quo"te back\\slash Ä',
    )
    golden("videoservice.cfg.lua", text)


def test_the_file_holds_the_settings_and_the_password_as_a_secret() -> None:
    content = {one.path: one.content for one in container("prosody", load(**VIDEO_SERVICE)).files}
    file = content[topology.VIDEO_SERVICE_FILE]
    assert isinstance(file, SecretText)
    assert file.made_from == ("video_service_password",)
    assert 'video_service_password = "[secret]"' in file.masked
    for name in ("videoServiceUrl", "keycloakUrl", "keycloakClientId", "videoServiceUsername"):
        assert f'"{VIDEO_SERVICE[name]}"' in file.masked


def test_without_a_video_service_no_container_sees_anything_of_it() -> None:
    """So that no change to it replaces a container of a stack that tells nobody."""
    for base in ({}, STATISTICS):
        told = {spec.role: spec for spec in services.specs(load(**base, **VIDEO_SERVICE))}
        for spec in services.specs(load(**base)):
            assert not {one.path for one in spec.files} & ITS_OWN
            assert spec.fingerprint == without_its_own(told[spec.role]).fingerprint
        assert {one.path for one in told["prosody"].files} >= ITS_OWN
