"""Any text at all in a stack file gives Settings, or one clear message; never another exception, never a secret.

`FUZZ=50 pytest tests/ops/test_fuzz.py` looks fifty times as long; `.ci/run` ten times.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from components.config.keys import KEYS
from components.config.problems import SettingsError
from ops import preflight
from ops.errors import OpsError
from ops.project import fixes, stackfile
from ops.project.state import StackState
from tests.unit.given import VALID
from tests.unit.test_fuzz import ANY_TEXT, MARK, ODD, TIMES

SECRET_KEYS: Final = (
    *(name for name, key in KEYS.items() if key.secret),
    "docker:keyMaterial",
    "cloudflare:apiToken",
)
SECRETS: Final = st.builds(
    lambda key, before, after: f"  {key}: {before}{MARK}{after}",
    st.sampled_from(SECRET_KEYS),
    st.sampled_from(["", "!", "*", "&", '"', "'", "{", "[", "%", "@", "|", "a: ", "- ", "x\t", "{secure: ", "!!int "]),
    st.sampled_from(["", "", '"', "'", "}", "]", ": b"]),
)
PROVIDERS: Final = st.builds(
    lambda key, value: f"  {key}: {value}",
    st.sampled_from(["docker:host", "docker:sshOpts", "docker:registryAuth", "docker:context", "docker:odd", "aws:x"]),
    st.sampled_from(
        f"""
ssh://me@box
ssh://me:{MARK}@box
http://me:{MARK}/x@box
[a]
5
{{a: b}}
[-p, '22']
[[]]
[{{address: r, password: {MARK}}}]
[{{address: r}}]
{{secure: {MARK}}}
'[{{'
""".split("\n")
    ),
)
PLAIN: Final = st.sampled_from(sorted(set(KEYS) - set(SECRET_KEYS))).flatmap(
    lambda name: st.sampled_from([text for text in VALID[name] if "\n" not in text]).map(
        lambda text: f"  {name}: {text}"
    )
)
ODD_VALUES: Final = [
    "",
    "~",
    "{{ host }}",
    "[a, b]",
    "{a: b}",
    "&a {x: *a}",
    "*a",
    "!!set {a}",
    "!!timestamp 2026-11-22",
    "!a b",
    "? [a]",
    "|",
    ">-",
    "'",
    '"',
    "{secure: x}",
    "{secure: [x]}",
    "1e3",
    "- - - a",
    "<<",
    "",
]
VALUES: Final = st.sampled_from([*ODD_VALUES, "\t", "9" * 5000, "[" * 60]) | ANY_TEXT.map(
    lambda text: text.encode(errors="replace").decode()
)
ANY_LINE: Final = st.builds(
    lambda before, key, colon, value: before + key + colon + value,
    st.sampled_from(["", "  ", "    ", "\t", "- ", "? "]),
    st.sampled_from(
        ["config", "confg", "environment", "encryptionsalt", "<<", "1", "true", "{a: b}", *sorted(KEYS)[:5]]
    ),
    st.sampled_from([": ", ":", " ", "\n"]),
    VALUES,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A stack file; every other one with secrets in plain text, and with lines that may be anything."""
    wild = draw(st.booleans())
    lines = draw(
        st.lists(PLAIN | SECRETS | PROVIDERS | ANY_LINE if wild else PLAIN | PROVIDERS, max_size=6, unique=True)
    )
    head = draw(st.sampled_from(["config:\n", "", "Config:\n", "a: &a {}\nconfig:\n"])) if wild else "config:\n"
    text = head + "\n".join(lines) + "\n"
    for _ in range(draw(st.integers(0, 2)) if wild else 0):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(ODD).encode(errors="replace").decode() + text[at:]
    return text


def test_any_text_in_a_stack_file(tmp_path: Path) -> None:
    """All three ends must happen often, or this would prove nothing."""
    seen: Counter[str] = Counter()
    (tmp_path / "Pulumi.yaml").write_text("name: videobackend\n")
    place = StackState("dev", tmp_path, embedded=True)

    @settings(max_examples=120 * TIMES, suppress_health_check=[HealthCheck.too_slow])
    @given(text=texts())
    def run(text: str) -> None:
        place.tracked.write_text(text, encoding="utf-8", newline="")
        try:
            content = stackfile.read(place.tracked)
            assume(MARK not in str([*content, *(content.get("config") or {})]))  # as a key it is no secret
            stackfile.check(place.tracked, content, "videobackend")
            try:
                preflight.check_settings("dev", content, tmp_path)
            except SettingsError as error:
                seen["refused settings"] += 1
                _readable(str(error), "")
                _readable(str(fixes.with_fixes(error, place, content)), "")
            else:
                seen["accepted"] += 1
        except OpsError as error:
            seen["refused file"] += 1
            _readable(str(error), "")  # a line for each fault

    run()
    assert min(seen[end] for end in ("accepted", "refused settings", "refused file")) >= 6, seen


def _readable(message: str, forbidden: str) -> None:
    assert MARK not in message, "a secret shows"
    assert all(line.isprintable() for line in message.split("\n")), message
    assert not forbidden or forbidden not in message, message
