"""The grammar of `.env`: what both docker-composes read, and what is refused because they part."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.importer import dotenv_file

SECRET = "0123456789abcdef0123456789abcdef"
READ = {
    f"S={SECRET}      # shared with the portal\n": SECRET,
    f"S='{SECRET}'\n": SECRET,
    f'S="{SECRET}"\n': SECRET,
    f"S={SECRET}\r\n": SECRET,
    f"export S={SECRET}\n": SECRET,
    f"  S={SECRET}\nS = {SECRET}\n": SECRET,
    f"S=old-old-old-old\nS={SECRET}\n": SECRET,
    f"S={SECRET}   \n": SECRET,
    f"S={SECRET}": SECRET,
    "S=<711b>,\n": "<711b>,",
    "S=a#b\n": "a#b",
    "S='a # b' # c\n": "a # b",
    'S="a\\nb"\n': "a\nb",
    "S='a\\nb'\n": "a\\nb",
    "S=\n": "",
    "S='a\nb'\n": "a\nb",
    "A=x\nS=${A}y\n": "xy",
    "A=x\nS=${B:-z}\n": "z",
    "S=a=b\n": "a=b",
    "# S=no\nS=yes\n": "yes",
}
"""Text, and the value of S that docker-compose 1 and 2 read."""
REFUSED = {
    "A=x\nS=$A\n": 2,
    "S='${A}'\nA=x\n": 1,
    "S=a$$b\n": 1,
    "S=$(pwd)\n": 1,
    "A=1\nS='not closed\n": 2,
    'S="a" b\n': 1,
    "S= # no value\n": 1,
    "S\n": 1,
    "A=1\nwhat is this\n": 2,
    "S: x\n": 1,
    "S=a\u00a0b\n": 1,
    "S='it\\'s'x\n": 1,
    'S="a\\cb"\n': 1,
    "S=a\rB=c\n": 1,
}
"""Text, and the line that its readers take in different ways."""


def test_what_both_readers_take_alike_is_taken() -> None:
    wrong = {}
    for text, value in READ.items():
        entries, faults = dotenv_file.read(text)
        if faults or entries["S"].value != value:
            wrong[text] = (entries, faults)
    assert not wrong


def test_a_line_that_the_readers_part_on_is_refused_with_its_number_and_not_its_value() -> None:
    wrong = {}
    for text, line in REFUSED.items():
        entries, faults = dotenv_file.read(text)
        if [fault.line for fault in faults][:1] != [line] or "S" in entries:
            wrong[text] = (entries, faults)
    assert not wrong


def test_nothing_that_a_text_may_hold_ends_in_a_traceback() -> None:
    dice = random.Random(13)
    for _ in range(2000):
        text = "".join(dice.choice(ALPHABET) for _ in range(dice.randint(0, 14)))
        entries, faults = dotenv_file.read(text)
        for name, entry in entries.items():
            if not faults:
                assert dotenv_file.grammar_2(text)[name] == entry.value, repr(text)


ALPHABET = [
    *"AB1 \t'\"\\\n#$={}:-.[é\x00\x0b\r\u2028",
    " #",
    "export ",
    "${A}",
    "$A",
    "${B:-x}",
    "A=1\n",
    "B='q'\n",
    "\\n",
]


@pytest.mark.servers
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose 1.29")
def test_docker_compose_reads_what_was_taken(tmp_path: Path) -> None:
    dice = random.Random(29)
    pieces = [*"ab1 '\"\\#${}=:-.[", " #", "x y", "\\n", "${V0}", "${NONE:-d}", "\\'", '\\"']
    lines = []
    for number in range(600):
        prefix = dice.choice(["", "", "export ", "  "])
        lines.append(f"{prefix}V{number}=" + "".join(dice.choice(pieces) for _ in range(dice.randint(0, 8))))
    sound = [line for line in lines if not dotenv_file.read("V0=first\n" + line)[1]]
    text = "V0=first\n" + "\n".join(sound) + "\n"
    entries, faults = dotenv_file.read(text)
    assert not faults
    assert len(entries) > 150
    (tmp_path / ".env").write_text(text)
    service = {"image": "x", "environment": [*entries]}
    (tmp_path / "docker-compose.yml").write_text(json.dumps({"version": "3", "services": {"web": service}}))
    run = subprocess.run(["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=True)
    import yaml

    found = yaml.safe_load(run.stdout)["services"]["web"]["environment"]
    read = {name: str(value).replace("$$", "$") for name, value in found.items()}
    assert read == {name: entry.value for name, entry in entries.items()}
