"""What the front end's config.js says once our additions and the operator's are appended, evaluated by node."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from components.config import rules
from components.stack.blueprint import blueprint
from components.stack.topology import WEB_CUSTOM_CONFIG
from tests.unit.given import GOOD
from tests.unit.test_outcomes import SINGLE, THIRD_PARTIES
from tests.values import load

Run = Callable[..., str]

IMAGE = "var config = { hosts: { domain: 'meet.jitsi' }, p2p: { enabled: true } };"
"""As the web image begins its own."""
EVALUATE = """
const vm = require("vm");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => {
  const context = vm.createContext({ stunServers: ["stun:given"] });
  try { vm.runInContext(text, context); } catch (error) { return String(error); }
  const config = context.config;
  return { quiet: config.disableThirdPartyRequests, stun: (config.p2p || {}).stunServers, hosts: config.hosts };
})));
"""


def page_config(**values: str) -> str:
    specs = blueprint(load(**values)).containers
    (text,) = [one.content for spec in specs for one in spec.files if one.path == WEB_CUSTOM_CONFIG]
    assert isinstance(text, str)
    return f"{IMAGE}\n{text}"


def test_without_stun_servers_and_branding_nobody_else_is_asked(run: Run) -> None:
    texts = [page_config(), *(page_config(stunServers=text) for text, _ in GOOD["stunServers"])]
    quiet, *others = json.loads(run("node", "-e", EVALUATE, given=json.dumps(texts)))
    assert quiet == {"quiet": True, "stun": [], "hosts": {"domain": "meet.jitsi"}}
    assert all(one["quiet"] is True and one["hosts"] == {"domain": "meet.jitsi"} for one in others)


def test_what_branding_undoes_is_warned_of(run: Run, tmp_path: Path) -> None:
    """Whatever passes without a word leaves our settings as they are."""
    texts, warned = [], []
    for content in (*SINGLE, *THIRD_PARTIES):
        (tmp_path / "config.js").write_text(content)
        texts.append(page_config(brandingDir=str(tmp_path)))
        warnings = rules.warnings(load(brandingDir=str(tmp_path)))
        warned.append(any("third parties" in one for one in warnings))
    ours = {"quiet": True, "stun": [], "hosts": {"domain": "meet.jitsi"}}
    found = json.loads(run("node", "-e", EVALUATE, given=json.dumps(texts)))
    silent = [(text, one) for text, one, told in zip(texts, found, warned, strict=True) if one != ours and not told]
    assert silent == []
    assert sum(one != ours for one in found) >= 5, "some of them do undo it"
