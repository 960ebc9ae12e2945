"""Scalars of a stack file: every reader takes them alike, or they are refused with the spelling that mends it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import OpsError
from ops.project import scalars, stackfile
from tests.scalars import SCALARS
from tests.tables import each

PROJECT = {"name": "videobackend"}
TAKEN = {written: text for written, text in SCALARS.items() if text is not None}
REFUSED = [written for written, text in SCALARS.items() if text is None]


def config(folder: Path, text: str) -> dict[str, str]:
    path = folder / "Pulumi.dev.yaml"
    path.write_text(text, encoding="utf-8")
    return stackfile.engine_config(stackfile.read(path), PROJECT).values


def test_the_corpus_is_large_enough() -> None:
    assert len(TAKEN) >= 30
    assert len(REFUSED) >= 30


def test_a_scalar_that_all_readers_take_alike_is_taken(tmp_path: Path) -> None:
    def check(written: str, text: str) -> None:
        assert config(tmp_path, f"config:\n  jwtAppId: {written}\n") == {"videobackend:jwtAppId": text}

    each(TAKEN.items(), check)


@pytest.mark.parametrize("place", ["config:\n  jwtAppId: {}\n", "config:\n  docker:sshOpts:\n    - {}\n"])
def test_a_scalar_that_readers_take_differently_is_refused_with_its_line(tmp_path: Path, place: str) -> None:
    line = place.count("\n")

    def check(written: str) -> None:
        with pytest.raises(OpsError, match=rf"^Pulumi\.dev\.yaml:{line}: .*: write .+$"):
            config(tmp_path, place.format(written))

    each(((one,) for one in REFUSED), check)


def test_what_the_refusal_proposes_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    def check(written: str) -> None:
        with pytest.raises(OpsError) as refused:
            config(tmp_path, f"config:\n  jwtAppId: {written}\n")
        proposal = re.findall(r'"[^"]*"', str(refused.value))[-1]
        assert config(tmp_path, f"config:\n  jwtAppId: {proposal}\n") == {"videobackend:jwtAppId": written}

    each(((one,) for one in REFUSED if one[0] not in "\"'!"), check)


@pytest.mark.parametrize(("written", "meant"), [("yes", "true"), ("On", "true"), ("no", "false"), ("off", "false")])
def test_a_word_that_is_a_truth_value_elsewhere_is_answered_with_it(tmp_path: Path, written: str, meant: str) -> None:
    with pytest.raises(OpsError, match=f"write {meant}$"):
        config(tmp_path, f"config:\n  enableGuests: {written}\n")
    own = '"no"$' if written == "no" else "no, on-failure,"  # restartPolicy has a `no` of its own
    with pytest.raises(OpsError, match=f"write {own}"):
        config(tmp_path, f"config:\n  restartPolicy: {written}\n")


def test_the_fix_of_an_odd_number_is_one_that_its_key_takes(tmp_path: Path) -> None:
    a_port = "a whole number from 1 to 65535"
    for key, written, fix in (
        ("httpsPort", "0x20FB", "8443"),
        ("httpsPort", "0o20373", "8443"),
        ("httpsPort", "18_000", "18000"),
        ("httpsPort", "1e4", "10000"),
        ("httpsPort", "8443.0", "8443"),
        ("httpsPort", "3:20", a_port),
        ("httpsPort", "1e9", a_port),
        ("httpsPort", "1.5", a_port),
        ("httpsPort", "08443", '"08443"'),
        ("conferenceTimeout", "1_0", "10"),
        ("dnsTtl", "1e3", "1000"),
        ("enableGuests", "0x2", "true or false"),
        ("jwtAppId", "0x10", '"0x10"'),
    ):
        with pytest.raises(OpsError) as refused:
            config(tmp_path, f"config:\n  {key}: {written}\n")
        assert f": write {fix}" in str(refused.value), (key, written)


def test_keys_below_their_namespace_are_told_to_stand_on_one_line(tmp_path: Path) -> None:
    for name in ("videobackend", "docker", "cloudflare"):
        content = {"config": {name: {"one": "x", "two": "y"}}}
        with pytest.raises(OpsError, match=f"write {name}:one, {name}:two below config, each on one line"):
            stackfile.check(tmp_path / "Pulumi.dev.yaml", content, "videobackend")


@pytest.mark.parametrize("tag", ["!!omap", "!!set", "!own"])
def test_a_list_or_map_with_a_tag_is_refused_with_its_line(tmp_path: Path, tag: str) -> None:
    with pytest.raises(OpsError, match=r"^Pulumi\.dev\.yaml:2: a value has a tag .*: write it without the tag$"):
        config(tmp_path, f"config:\n  stunServers: {tag} [a]\n")


@pytest.mark.parametrize(
    "key", ["jwtAppSecret", "jwtAppSecrett", "videobackend:jvbAuthPassword", "cloudflare:apiToken"]
)
def test_what_may_be_a_secret_is_not_repeated(tmp_path: Path, key: str) -> None:
    with pytest.raises(OpsError, match=r"a value .* write it in double quotes") as refused:
        config(tmp_path, f"config:\n  {key}: 0815081508150815\n")
    assert "0815" not in str(refused.value)


def test_all_of_them_come_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(OpsError) as refused:
        config(tmp_path, "config:\n  jvbPort: 010000\n  conferenceTimeout: 030\n")
    assert [line.partition(" ")[0] for line in str(refused.value).splitlines()] == [
        "Pulumi.dev.yaml:2:",
        "Pulumi.dev.yaml:3:",
    ]


@given(st.text("0123456789_.:+-eExobT ~yn=<", min_size=1, max_size=12).filter(lambda text: text == text.strip()))
def test_yaml_1_1_makes_the_same_of_every_plain_scalar_that_is_taken(text: str) -> None:
    document = f"a: {text}\n"
    try:
        if list(scalars.misread(document, loader=stackfile._Loader)):
            return
        ours = yaml.load(document, Loader=stackfile._Loader)
        theirs = yaml.safe_load(document)
    except yaml.YAMLError:
        return
    assert ours == theirs
    assert type(ours) is type(theirs)


PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=20)


@given(st.one_of(st.sampled_from(list(TAKEN.values())), PRINTED))
def test_a_copy_of_a_stack_file_is_read_back_as_it_was(text: str) -> None:
    content: dict[str, Any] = {"config": {"videobackend:jwtAppId": text, "docker:sshOpts": [text, 5, True]}}
    copy = scalars.dump(content)
    assert yaml.load(copy, Loader=stackfile._Loader) == content
    assert yaml.safe_load(copy) == content
    begins = [one.fix for one in scalars.misread(copy, loader=stackfile._Loader)]
    assert not begins or text[:1] in "\n\t\r\x85\u2028\u2029"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://video.example.org", "https://video.example.org"),
        ("80", "80"),
        ("true", "true"),
        ("0.0.0.0", "0.0.0.0"),
        ("0.0.0.0,::", '"0.0.0.0,::"'),
        ("yes", '"yes"'),
        ("010", '"010"'),
        ("a # b", '"a # b"'),
        ("*", '"*"'),
        ("{a}", '"{a}"'),
        ("a: b", '"a: b"'),
        ("", '""'),
    ],
)
def test_a_proposed_value_is_quoted_where_a_reader_would_take_it_otherwise(text: str, written: str) -> None:
    assert scalars.scalar(text) == written
