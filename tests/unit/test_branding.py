"""The branding directory: what may lie in it, what is refused before anything is made, and where files go."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from components.config import branding
from components.config.problems import SettingsError
from components.stack import topology
from components.stack.services import web
from components.stack.spec import ContainerSpec
from tests.values import container, load


def write(root: Path, **files: str | bytes) -> str:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(root)


def place(root: Path, files: dict[str, str | bytes]) -> str:
    return write(root, **{name.replace("/", "__"): content for name, content in files.items()})


def spec(directory: str) -> ContainerSpec:
    return container("web", load(brandingDir=directory))


def test_files_go_over_the_front_end_byte_for_byte(tmp_path: Path) -> None:
    logo = bytes(range(256))
    directory = place(tmp_path, {"images/logo.png": logo, "body.html": "<b>Hallo</b>", ".DS_Store": "x"})
    files = {one.path: one.content for one in spec(directory).files}
    assert files[f"{topology.WEB_ROOT}/images/logo.png"] == logo
    assert files[f"{topology.WEB_ROOT}/body.html"] == b"<b>Hallo</b>"
    assert not any(".DS_Store" in path for path in files)


def test_overrides_are_appended_to_our_own_additions_to_config_js(tmp_path: Path) -> None:
    directory = place(tmp_path, {"config.js": "config.a = 1;\n", "interface_config.js": "interfaceConfig.b = 2;\n"})
    files = {one.path: one.content for one in spec(directory).files}
    config = files[topology.WEB_CUSTOM_CONFIG]
    assert isinstance(config, str)
    assert config.startswith(web.custom_config(load()))
    assert config.endswith("config.a = 1;\n")
    assert files[topology.WEB_CUSTOM_INTERFACE_CONFIG] == b"interfaceConfig.b = 2;\n"
    assert f"{topology.WEB_ROOT}/config.js" not in files


def test_the_front_end_is_told_of_dynamic_branding(tmp_path: Path) -> None:
    directory = place(tmp_path, {"dynamicBranding.json": "{}"})
    assert spec(directory).environment["DYNAMIC_BRANDING_URL"] == (
        "https://onlineberatung.local:8443/dynamicBranding.json"
    )
    assert "DYNAMIC_BRANDING_URL" not in container("web", load()).environment


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, "at least one file"),
        ({"images/a.png": ""}, "images/a.png is empty"),
        ({"index.html": "x"}, "no index.html"),
        ({"libs/app.js": "x"}, "no folder libs"),
        ({"config.js": b"\xff\xfe"}, "config.js in UTF-8"),
        ({"images/big.png": b"x" * (branding.MAX_TOTAL + 1)}, "at most 200 files and 5 MiB"),
        ({f"images/{n}.png": "x" for n in range(branding.MAX_FILES + 1)}, "found 201 files"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, files: dict[str, str | bytes], allowed: str
) -> None:
    directory = place(tmp_path, files)
    with pytest.raises(SettingsError) as refused:
        load(brandingDir=directory)
    assert [problem.key for problem in refused.value.problems] == ["brandingDir"]
    assert allowed in str(refused.value)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a directory that exists"):
        load(brandingDir=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("files", "step"),
    [
        ({"config.js": "var config = {}"}, "config.js"),
        ({"images/a b.png": ""}, "images/a b.png"),
        ({"libs/app.js": "x"}, "libs"),
        ({"manifest.json": "["}, "manifest.json"),
    ],
)
def test_the_fix_names_the_file_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes], step: str
) -> None:
    directory = place(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as refused:
        load(brandingDir=directory)
    assert [shlex.split(problem.step) for problem in refused.value.problems] == [["change", f"{directory}/{step}"]]
    assert f"fix:     {refused.value.problems[0].step}" in str(refused.value)


def test_files_of_a_directory_outside_the_project_that_is_none_of_ours_are_not_to_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path / "etc", {"adduser.conf": "x", "fonts/fonts.conf": "x", "apt/sources.list": "x"})
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for directory in (str(tmp_path / "etc"), "../etc"):
        with pytest.raises(SettingsError) as refused:
            load(brandingDir=directory)
        assert [problem.step for problem in refused.value.problems] == ["", ""]
        assert str(refused.value).endswith("set brandingDir DIRECTORY")


@pytest.mark.parametrize(("directory", "fix"), [("nowhere", "set brandingDir DIRECTORY"), ("none", "rm brandingDir")])
def test_a_directory_that_is_none_is_not_proposed_again(directory: str, fix: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(brandingDir=directory)
    assert str(refused.value).endswith(fix)


def test_a_path_too_long_for_any_directory_is_refused() -> None:
    with pytest.raises(SettingsError, match="a directory that can be read: File name too long"):
        load(brandingDir="x" * 300)


def test_a_directory_of_something_else_is_refused_in_two_sentences_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own directory or / are easily named by mistake."""
    content: dict[str, str | bytes] = {f"{name}{ending}": "x" for name in "abcde" for ending in ("/deep/file", ".txt")}
    place(tmp_path, content)
    monkeypatch.setattr(branding, "_files", lambda root: pytest.fail("it was walked through"))
    with pytest.raises(SettingsError) as refused:
        load(brandingDir=str(tmp_path))
    folders, files = (problem.allowed for problem in refused.value.problems)
    assert folders.startswith("no folder a, b, c and 2 more: the folders are images, static,")
    assert files.startswith("no a.txt, b.txt, c.txt and 2 more: besides body.html,")


@pytest.mark.parametrize("name", [b"a\xff.png", b"a\n.png", b"a\x1b[31m.png"])
@pytest.mark.parametrize("folder", [b"images", b"."])
def test_a_file_name_that_is_no_plain_text_is_refused(tmp_path: Path, folder: bytes, name: bytes) -> None:
    where = os.path.join(os.fsencode(tmp_path), folder)
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, name), "wb") as file:
        file.write(b"x")
    with pytest.raises(SettingsError) as refused:
        load(brandingDir=str(tmp_path))
    (problem,) = refused.value.problems
    assert problem.allowed.isprintable()


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "logo.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="not symbolic links"):
        load(brandingDir=str(tmp_path))


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(SettingsError, match="not symbolic links"):
        load(brandingDir=str(tmp_path))


def test_a_changed_file_makes_a_new_web_container(tmp_path: Path) -> None:
    directory = place(tmp_path, {"images/logo.png": "old"})
    before = spec(directory).fingerprint
    place(tmp_path, {"images/logo.png": "new"})
    assert spec(directory).fingerprint != before
