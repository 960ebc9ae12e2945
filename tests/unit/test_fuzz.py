"""Any configuration at all gives Settings, or one clear message; never another exception, never a secret.

`FUZZ=50 pytest tests/unit/test_fuzz.py` looks fifty times as long; `.ci/run` ten times.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.config import rules
from components.config.addresses import PublicUrl
from components.config.checks import Invalid
from components.config.keys import KEYS
from components.config.load import load as load_settings
from components.config.problems import SettingsError
from components.config.secret import ENCRYPTED
from components.config.values import Variable
from components.stack.blueprint import blueprint
from components.stack.spec import SecretText
from tests.unit.given import GOOD, VALID

TIMES: Final = int(os.environ.get("FUZZ", "1"))
MARK: Final = "Zq7#kW"
"""In every secret that is given, and in nothing else: what the message must not show."""

ANY_TEXT: Final = st.text(st.characters(codec=None), max_size=40)
ODD: Final = st.sampled_from(
    [
        *"\"'\\ \t\n\r\x00\x7f\u00a0\u2028\ud800٣ß%#@:/?,.-_[]{}$`",
        "::1",
        "\x1b[31m",
        "{{",
        "${",
        "%2F",
        "#0",
        ",,",
        "://",
    ]
)


@st.composite
def near_misses(draw: st.DrawFn, name: str) -> str:
    """A good value of the key, or one with a small fault."""
    text = draw(st.sampled_from(VALID[name]))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 3)))
        what = draw(st.sampled_from(["insert", "delete", "replace", "double", "upper", "cut"]))
        if what == "insert":
            text = text[:at] + draw(ODD) + text[at:]
        elif what == "delete":
            text = text[:at] + text[until:]
        elif what == "replace":
            text = text[:at] + draw(ODD) + text[until:]
        elif what == "double":
            text = f"{text},{text}"
        elif what == "upper":
            text = text.upper()
        else:
            text = text[:at]
    return text


SECRETS: Final = sorted(name for name, key in KEYS.items() if key.secret)
PLAIN: Final = sorted(name for name, key in KEYS.items() if not key.secret)

WILD: Final = st.dictionaries(
    st.sampled_from(PLAIN) | st.sampled_from(sorted(filter(None, (key.env for key in KEYS.values())))) | ANY_TEXT,
    ANY_TEXT | st.just(ENCRYPTED),
    max_size=8,
)
CLOSE: Final = st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=12).flatmap(
    lambda names: st.fixed_dictionaries({name: near_misses(name) for name in names})
)
GIVEN_SECRETS: Final = st.lists(st.sampled_from(SECRETS), unique=True, max_size=4).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: (ANY_TEXT | near_misses(name)).map(lambda text: text + MARK) for name in names}
    )
)
ENCRYPTED_KEYS: Final = st.sets(st.sampled_from(SECRETS))


@pytest.fixture(autouse=True)
def _branding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What brandingDir's good values name, and nothing of the project."""
    for text, _ in GOOD["brandingDir"]:
        folder = tmp_path / "here" / text / "css"
        folder.mkdir(parents=True)
        (folder / "all.css").write_text("body {}")
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def seen() -> Counter[str]:
    return Counter()


def judge(values: dict[str, str], encrypted: set[str], seen: Counter[str]) -> None:
    """Loads the values; what is accepted is carried on to the end of the pure part, what is refused is read."""
    try:
        accepted = load_settings(values, stack="dev", secret_keys=encrypted)
    except SettingsError as error:
        seen["refused"] += 1
        readable(str(error), len(error.problems))
        return
    seen["accepted"] += 1
    wanted = blueprint(accepted)
    for spec in wanted.containers:
        assert spec.fingerprint
        for name, value in spec.plain_environment.items():
            assert value, f"{spec.role} {name}"
            assert "\n" not in value
    texts = [one.content for spec in wanted.containers for one in spec.files]
    for text in (*texts, *wanted.outputs.values()):
        if isinstance(text, SecretText):
            text.masked.encode("ascii")
    json.dumps(wanted.outputs["facts"], allow_nan=False).encode()
    for warning in rules.warnings(accepted):
        assert MARK not in warning
        assert warning.isprintable()
    assert MARK not in repr(accepted)


def readable(message: str, problems: int) -> None:
    assert MARK not in message, "a secret shows"
    assert "Traceback" not in message
    lines = message.split("\n")
    assert all(line.isprintable() for line in lines)
    assert (
        sum(line.startswith(("    fix:     pulumi config ", "    fix:     change ")) for line in lines) == problems >= 1
    )
    assert sum(line.startswith(("    problem: ", "    allowed: ")) for line in lines) >= problems


@settings(max_examples=40 * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=WILD, secrets=GIVEN_SECRETS, encrypted=ENCRYPTED_KEYS)
def test_wild_configurations(
    values: dict[str, str], secrets: dict[str, str], encrypted: set[str], seen: Counter[str]
) -> None:
    judge({**values, **secrets}, encrypted, seen)


def test_configurations_that_are_nearly_right(seen: Counter[str]) -> None:
    """Both must happen often, or this would prove nothing."""

    @settings(max_examples=60 * TIMES, suppress_health_check=[HealthCheck.too_slow])
    @given(values=CLOSE)
    def run(values: dict[str, str]) -> None:
        judge(values, set(SECRETS), seen)

    run()
    assert seen["accepted"] >= 4
    assert seen["refused"] >= 12


@pytest.mark.parametrize("name", sorted(KEYS))
def test_near_misses_of_one_key(name: str, seen: Counter[str]) -> None:
    """The normal form of a value is its own normal form, too: nothing is left that a second reader would still change."""
    companions = {"dnsZoneId": {"dnsZone": "example.org"}}.get(name, {})

    @settings(max_examples=8 * TIMES)
    @given(text=near_misses(name))
    def run(text: str) -> None:
        judge({**companions, name: text}, set(SECRETS), seen)
        try:
            value = KEYS[name].check(text)
        except Invalid:
            return
        assert KEYS[name].check(as_given(name, value)) == value

    run()
    assert seen.total() >= 4


def as_given(name: str, value: Any) -> str:
    """A value of this key as it would be set."""
    if KEYS[name].structured:
        return as_map(value)
    return as_text(value) + ("m" if name.endswith("Memory") else "")


def as_map(variables: Iterable[Variable]) -> str:
    """Variables of the images as the engine hands them over."""
    services: dict[str, dict[str, str]] = {}
    for one in variables:
        services.setdefault(one.service, {})[one.name] = str(one.value)
    return json.dumps(services)


def as_text(value: object) -> str:
    """A value as it reaches its consumer."""
    if isinstance(value, PublicUrl):
        return value.origin
    if value == ():
        return "self"
    if isinstance(value, tuple):
        return ("-" if all(isinstance(one, int) for one in value) else ",").join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
