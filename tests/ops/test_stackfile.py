from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.config.secret import ENCRYPTED
from ops.errors import OpsError
from ops.project import stackfile

PROJECT = {"name": "videobackend", "config": {"httpPort": {"type": "string", "default": "8000"}, "timeZone": "UTC"}}


def _config(tmp_path: Path, text: str) -> stackfile.StackConfig:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    return stackfile.engine_config(stackfile.read(path), PROJECT)


@pytest.mark.parametrize(
    ("written", "handed_over"),
    [
        ("8443", "8443"),
        ('"8443"', "8443"),
        ("true", "true"),
        ("FALSE", "false"),
        ("10m", "10m"),
        ("", ""),
        ("~", ""),
        ("[a, 2, true]", '["a", 2, true]'),
        ("{b: 1, a: é}", '{"b": 1, "a": "é"}'),
    ],
)
def test_values_are_text_as_the_engine_hands_them_over(tmp_path: Path, written: str, handed_over: str) -> None:
    assert _config(tmp_path, f"config:\n  publicUrl: {written}\n").values["videobackend:publicUrl"] == handed_over


def test_a_key_without_namespace_is_the_projects(tmp_path: Path) -> None:
    values = _config(tmp_path, "config:\n  httpPort: 1\n  videobackend:httpsPort: 2\n  docker:host: unix:///d\n").values
    assert values["videobackend:httpPort"] == "1"
    assert values["videobackend:httpsPort"] == "2"
    assert values["docker:host"] == "unix:///d"


def test_values_of_the_project_stand_where_the_stack_file_has_none(tmp_path: Path) -> None:
    assert _config(tmp_path, "").values == {"videobackend:httpPort": "8000", "videobackend:timeZone": "UTC"}


def test_a_fixed_value_of_the_project_counts() -> None:
    project = {"name": "videobackend", "config": {"httpPort": {"value": "8001"}}}
    assert stackfile.engine_config({}, project).values == {"videobackend:httpPort": "8001"}


def test_an_encrypted_value_is_present_and_secret(tmp_path: Path) -> None:
    config = _config(tmp_path, "config:\n  jwtAppSecret:\n    secure: v1:abc\n")
    assert config.values["videobackend:jwtAppSecret"] == ENCRYPTED
    assert config.secret_keys == {"videobackend:jwtAppSecret"}


def test_an_encrypted_part_makes_the_whole_value_secret_and_is_blotted_out(tmp_path: Path) -> None:
    text = "config:\n  docker:registryAuth:\n    - address: r.example.org\n      password: {secure: v1:abc}\n"
    config = _config(tmp_path, text)
    assert json.loads(config.values["docker:registryAuth"]) == [{"address": "r.example.org", "password": "[secret]"}]
    assert config.secret_keys == {"docker:registryAuth"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config:\n  a: [1\n", r"Pulumi\.dev\.yaml:3 is not valid YAML"),
        ("config:\n  a: 1\n  a: 2\n", r"Pulumi\.dev\.yaml:3 .*'a' stands there twice"),
        ("- config\n", "is not a stack file"),
        ("config: here\n", "is not a stack file"),
        ("config:\n  a: \x07\n", r"Pulumi\.dev\.yaml:2 has a control character"),
        ("config:\n  a: 1\n---\nconfig:\n  b: 1\n", r"Pulumi\.dev\.yaml:3 begins a second document \(---\)"),
        ("%YAML 1.2\n---\nconfig:\n", r"Pulumi\.dev\.yaml:1 has a directive"),
        ("%TAG !x! tag:a\n---\nconfig:\n", r"Pulumi\.dev\.yaml:1 has a directive"),
        ("config:\n  publicUrl: {{ host }}\n", r"Pulumi\.dev\.yaml:2 .*put a value that begins with { or \[ in quotes"),
        ("config:\n  ? [a, b]\n  : 1\n", r"Pulumi\.dev\.yaml:2 is not valid YAML"),
        ("config:\n  jwtAppId: a: b\n", "put a value with characters such as : .* in quotes"),
        ("config: &a {x: *a}\n", "within itself"),
        ("config: {x: " + "[" * 100_000, "nested too deeply"),
        ("config: {x: !!timestamp 2026-11-22}\n", "a tag"),
        ("config: {x: !!bool perhaps}\n", "a tag"),
    ],
)
def test_what_is_no_stack_file_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(OpsError, match=f"^Pulumi.*{expected.removeprefix('Pulumi')}.*$"):
        _config(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("confg:\n  httpPort: 1\n", "'confg', which is no part of a stack file; did you mean config"),
        ("Config:\n  httpPort: 1\n", "'Config', .*did you mean config"),
        ("config:\nhttpPort: 1\n", "'httpPort', .*keys stand below `config:`, indented"),
        ("videobackend:httpPort: 1\n", "'videobackend:httpPort', .*keys stand below"),
        ("config:\n  httpPort: 1\n  videobackend:httpPort: 2\n", "httpPort and videobackend:httpPort are the same key"),
        ("config:\n  httpPort:\n", "httpPort is empty: give it a value, or remove the line"),
        ("config:\n  docker:host: null\n", "docker:host is empty"),
        (
            "config:\n  videobackend:config:httpPort: 1\n",
            "videobackend:config:httpPort is the old form of videobackend:httpPort: write videobackend:httpPort in",
        ),
    ],
)
def test_what_the_engine_would_pass_over_or_take_otherwise_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    content = stackfile.read(path)
    with pytest.raises(OpsError, match=rf"^Pulumi\.dev\.yaml: .*{expected}.*$"):
        stackfile.check(path, content, "videobackend")


@pytest.mark.parametrize(
    "line", ["a: !x!hunter2 b", "? [hunter2]\n  : x", '"hunter2": x\n  "hunter2": y', "a: *hunter2"]
)
def test_what_stands_where_no_secret_belongs_is_not_repeated(tmp_path: Path, line: str) -> None:
    with pytest.raises(OpsError) as refused:
        _config(tmp_path, f"config:\n  {line}\n")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["5", "", "[a]"])
def test_a_map_that_only_looks_like_an_encrypted_value_is_a_map(tmp_path: Path, value: str) -> None:
    """As the engine has it, which decrypts texts alone."""
    config = _config(tmp_path, f"config:\n  jwtAppSecret:\n    secure: {value}\n")
    assert config.secret_keys == frozenset()
    assert config.values["videobackend:jwtAppSecret"].startswith('{"secure":')


def test_a_key_in_pulumis_old_form_counts_as_the_key(tmp_path: Path) -> None:
    """So `dnsZone` brings its package in that form, too."""
    assert "videobackend:dnsZone" in _config(tmp_path, "config:\n  videobackend:config:dnsZone: a.org\n").values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "encryptionsalt: v1:abc\n",
        "secretsprovider: awskms://a\nencryptedkey: abc\nenvironment: [prod]\nconfig:\n",
        'config:\n  httpPort: ""\n',
    ],
)
def test_what_the_engine_knows_is_taken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    stackfile.check(path, stackfile.read(path), "videobackend")


def test_a_byte_order_mark_as_some_editors_write_it_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes("\ufeffconfig:\n  httpPort: 80\n".encode())
    assert stackfile.read(path) == {"config": {"httpPort": 80}}


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes("config:\n  jwtAppId: J\u00f6rg\n".encode("latin-1"))
    with pytest.raises(OpsError, match=r"^Pulumi\.dev\.yaml:2 is not UTF-8"):
        stackfile.read(path)


def test_a_machines_own_copy_is_named_with_its_directory(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "Pulumi.dev.yaml").write_text("- x\n")
    with pytest.raises(OpsError, match=r"^\.local/Pulumi\.dev\.yaml is not a stack file"):
        stackfile.read(tmp_path / ".local" / "Pulumi.dev.yaml")


@pytest.mark.parametrize("text", ["", "name: [a\n", "- name\n", "runtime: python\n"])
def test_a_broken_project_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(OpsError, match=r"^Pulumi\.yaml.*$"):
        stackfile.read_project(tmp_path)


@pytest.mark.parametrize("name", ["staging", "../dev", "", "dev/../dev"])
def test_a_stack_is_the_name_of_a_file_here(tmp_path: Path, name: str) -> None:
    for stack in ("prod", "dev"):
        (tmp_path / f"Pulumi.{stack}.yaml").touch()
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "Pulumi.folder.yaml").mkdir()
    (tmp_path / "Pulumi.gone.yaml").symlink_to(tmp_path / "gone")
    with pytest.raises(OpsError, match=r"stacks: dev, prod; "):
        stackfile.path_of(name, tmp_path)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("prd", "did you mean prod? stacks: dev, prod; for a new one: cp Pulumi.dev.yaml Pulumi.prd.yaml"),
        ("Dev", "did you mean dev? "),
        (
            "demo",
            "); stacks: dev, prod; for a new one: cp Pulumi.dev.yaml Pulumi.demo.yaml, and give it a publicUrl, httpPort",
        ),
        ("a b", "stacks: dev, prod; a stack's name has letters"),
        ("../dev", "stacks: dev, prod; a stack's name has letters"),
    ],
)
def test_a_stack_that_is_none_is_told_what_was_meant_and_how_a_new_one_is_made(
    tmp_path: Path, typed: str, expected: str
) -> None:
    for name in ("dev", "prod"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    with pytest.raises(OpsError) as caught:
        stackfile.path_of(typed, tmp_path)
    assert expected in str(caught.value)
