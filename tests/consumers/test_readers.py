"""Files and variables: what Lua, Java and JavaScript read back is what was set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from components.config import checks
from components.stack import video_service
from components.stack.statistics_file import lua_string
from tests.consumers import alphabet
from tests.unit.given import GOOD

Run = Callable[..., str]

HEX = 'for _, v in ipairs(values) do print((v:gsub(".", function(c) return ("%02x"):format(c:byte()) end))) end'


def from_hex(output: str) -> list[str]:
    return [bytes.fromhex(line).decode("utf-8") for line in output.splitlines()]


@pytest.mark.parametrize("lua", ["lua5.1", "lua5.4"])
def test_lua_reads_the_brokers_user_and_password_from_the_statistics_file(run: Run, lua: str, tmp_path: Path) -> None:
    texts = alphabet.rabbit_passwords()
    script = tmp_path / "statistics.lua"
    script.write_text(f"values = {{ {', '.join(map(lua_string, texts))} }}\n{HEX}\n")
    assert from_hex(run(lua, str(script))) == texts


@pytest.mark.parametrize("lua", ["lua5.1", "lua5.4"])
@pytest.mark.parametrize("texts", [alphabet.jwt_names, alphabet.jwt_secrets])
def test_lua_reads_what_the_image_puts_between_quotes(
    run: Run, lua: str, texts: Callable[[], list[str]], tmp_path: Path
) -> None:
    """The template of the prosody image: app_secret = "{{ .Env.JWT_APP_SECRET }}"."""
    script = tmp_path / "jitsi-meet.lua"
    quoted = ", ".join(f'"{text}"' for text in texts())
    script.write_text(f"values = {{ {quoted} }}\n{HEX}\n", encoding="utf-8")
    assert from_hex(run(lua, str(script))) == texts()


def test_java_reads_the_video_services_properties(run: Run, tmp_path: Path) -> None:
    texts = [*alphabet.jwt_names(), *alphabet.jwt_secrets()]
    file = tmp_path / "application.properties"
    file.write_text(
        video_service.java_properties({f"k{at}": text for at, text in enumerate(texts)}), encoding="latin-1"
    )
    program = tmp_path / "Read.java"
    program.write_text(
        """import java.nio.charset.StandardCharsets; import java.util.*; import java.io.*;
public class Read { public static void main(String[] a) throws Exception {
  Properties p = new Properties(); try (InputStream in = new FileInputStream(a[0])) { p.load(in); }
  for (int i = 0; i < Integer.parseInt(a[1]); i++) {
    StringBuilder line = new StringBuilder();
    for (byte b : p.getProperty("k" + i).getBytes(StandardCharsets.UTF_8)) line.append(String.format("%02x", b));
    System.out.println(line); } } }
"""
    )
    assert from_hex(run("java", str(program), str(file), str(len(texts)))) == texts


URLS = """
const urls = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(urls.map((text) => { try { return new URL(text).origin; } catch { return null; } })));
"""


def test_browsers_take_every_public_url_for_the_origin_that_it_is(run: Run) -> None:
    """Node's URL is the WHATWG standard's, as in browsers."""
    origins = [url.origin for _, url in GOOD["publicUrl"]]
    assert json.loads(run("node", "-e", URLS, given=json.dumps(origins))) == origins


def test_host_names_are_spelled_as_browsers_spell_them(run: Run) -> None:
    names = [
        "straße.example",
        "bücher.example",
        "faß.example",
        "Ä.example",
        "日本.example",
        "😀.example",
        "a。b.example",
    ]
    ours = []
    for name in names:
        with pytest.raises(checks.Invalid) as refused:
            checks.public_url(f"https://{name}")
        ours.append(refused.value.example)
    given = json.dumps([f"https://{name}" for name in names])
    assert json.loads(run("node", "-e", URLS, given=given)) == ours


def test_what_browsers_take_for_no_host_or_another_one_is_refused(run: Run) -> None:
    hosts = ["a.0x7f", "1.2.3", "0x7f.1", "127.1", "1.2.3.0x4", "xn--a.example", "256.1.1.1", "0"]
    origins = json.loads(run("node", "-e", URLS, given=json.dumps([f"https://{host}" for host in hosts])))
    for host, origin in zip(hosts, origins, strict=True):
        assert origin != f"https://{host}", f"{host} is a host after all"
        assert not alphabet.takes(checks.public_url, f"https://{host}"), host


def test_paths_of_the_broker_stay_what_they_are(run: Run) -> None:
    """A client that follows the URL standard asks for the very path that was checked."""
    texts = [checks.rabbit_url(text) for text, _ in GOOD["rabbitUrl"]]
    program = URLS.replace("new URL(text).origin", "new URL(text).pathname")
    paths = json.loads(run("node", "-e", program, given=json.dumps(texts)))
    assert [text.endswith(path) for text, path in zip(texts, paths, strict=True)] == [True] * len(texts)
