"""Two places that must say the same: the settings and the project's schema, the documentation, the stack files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from components.config.declare import camel_case
from components.config.keys import KEYS
from components.config.load import load as load_settings
from components.stack.credentials import JWT_SECRET, PASSWORDS
from tests.values import OWN_SECRETS

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final[dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
SCHEMA: Final[dict[str, Any]] = PROJECT.get("config", {})
DASH: Final = "\N{EN DASH}"
DOCUMENT: Final = ROOT / "docs" / "settings.md"

STACKS: Final = sorted(ROOT.glob("Pulumi.*.yaml"))


def test_the_schema_declares_exactly_the_keys_with_a_default_but_for_public_url() -> None:
    """A key declared without a default would be required; publicUrl's would hide that a stack file is missing."""
    assert set(SCHEMA) == {name for name, key in KEYS.items() if key.default} - {"publicUrl"}


@pytest.mark.parametrize("name", SCHEMA)
def test_schema_and_settings_agree(name: str) -> None:
    declared, key = SCHEMA[name], KEYS[name]
    assert declared["type"] == "string", "the program checks values itself, with better words"
    assert declared["default"] == key.default
    assert declared["description"] == key.doc


def table_rows() -> list[list[str]]:
    """The rows of the tables of docs/settings.md whose first cell is a key."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    return [row for row in rows if re.fullmatch(r"`[a-z][A-Za-z]*`", row[0])]


def test_the_documentation_names_exactly_the_keys() -> None:
    names = [row[0].strip("`") for row in table_rows()]
    assert len(set(names)) == len(names), "a key stands there twice"
    assert set(names) == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_the_documentation_agrees_with_the_settings(name: str) -> None:
    (row,) = [row for row in table_rows() if row[0] == f"`{name}`"]
    key = KEYS[name]
    assert row[1] == (f"`{key.env}`" if key.env else DASH)
    if key.default:
        assert row[2] == f"`{key.default}`"
    else:
        assert row[2] in (DASH, "*generated*")
    assert ("**secret**" in row[3]) is key.secret


def test_the_documentation_says_of_each_secret_whether_it_is_generated() -> None:
    generated = {row[0].strip("`") for row in table_rows() if row[2] == "*generated*"}
    assert generated == {camel_case(one) for one in (*PASSWORDS, JWT_SECRET)}


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_the_stack_files_in_the_repository_are_accepted(path: Path) -> None:
    """Their encrypted values are the team's own, so one that is known stands in for each."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    values: dict[str, str] = {}
    for full_name, value in content.items():
        namespace, _, name = full_name.rpartition(":")
        if namespace == PROJECT["name"]:
            values[name] = OWN_SECRETS[name] if isinstance(value, dict) else str(value)
    load_settings(values, stack="test", secret_keys=OWN_SECRETS.keys())


def test_a_key_is_the_camel_case_of_its_attribute_but_for_those_that_have_a_better_name_here() -> None:
    named = {key.name: key.attribute for key in KEYS.values() if key.name != camel_case(key.attribute)}
    assert named == {
        "bindAddress": "bind_addresses",
        "dockerHostAddress": "advertised_addresses",
        "jvbBindAddress": "jvb_bind_addresses",
        "tls": "tls_choice",
        "turn": "turn_choice",
    }


def test_generated_secrets_are_secret_keys() -> None:
    for attribute in (*PASSWORDS, JWT_SECRET):
        assert KEYS[camel_case(attribute)].secret


def documented_modules() -> list[tuple[str, str]]:
    """Package and module of each name in the table of docs/architecture.md; a row without a package belongs to the one above."""
    text = (
        (ROOT / "docs" / "architecture.md")
        .read_text(encoding="utf-8")
        .partition("## Modules\n")[2]
        .partition("\n## ")[0]
    )
    found: list[tuple[str, str]] = []
    package = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and (cells[1].startswith("`") or cells[0].startswith("`")):
            package = cells[0].strip("`") or package
            found += [(package, name) for name in re.findall(r"`([^`]+)`", cells[1])]
    return found


def test_the_architecture_names_every_module_in_its_package_once() -> None:
    files = [path for top in ("components", "ops", "policies") for path in (ROOT / top).rglob("*.py")]
    modules = [
        (f"{path.parent.relative_to(ROOT)}/", path.stem) for path in files if path.stem not in ("__init__", "__main__")
    ]
    assert sorted(documented_modules()) == sorted(modules)
