"""nft takes the firewall scripts of every extreme of the values that are in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

import pytest

from components.stack.blueprint import blueprint
from tests.values import DOMAIN, STATISTICS, load

PUBLISH: Final = "/api/exchanges/%2F/statistics.topic/publish"
BROKER: Final = {**DOMAIN, **STATISTICS, "tls": "self-signed", "letsencryptEmail": ""}
AS_IT_SAYS: Final = ("$subnets_of_prosody", "172.18.0.0/16, 172.19.0.0/16")
"""What a script that calls itself not loadable yet asks the operator to put in."""
EXTREMES: Final[list[dict[str, str]]] = [
    {},
    {"httpPort": "1", "httpsPort": "65535", "jvbPort": "80"},
    {"bindAddress": "0.0.0.0,::", "jvbBindAddress": "0.0.0.0,::"},
    {"bindAddress": "127.0.0.1,::1", "jvbBindAddress": "223.255.255.254,fd00::1"},
    {"bindAddress": ",".join(f"10.0.0.{n}" for n in range(1, 255)), "jvbBindAddress": "fd00::1,fd00::2"},
    {"tls": "proxy", "bindAddress": "2000::ffff:ffff:ffff:ffff"},
    {"dockerHostAddress": "10.0.0.1#80,fd00::1#65535,203.0.113.1", "jvbPort": "65535"},
    {
        "turn": "embedded",
        "dockerHostAddress": "10.0.0.1",
        "turnRelayPorts": "1024-1523",
        "turnPort": "53",
        "httpPort": "80",
    },
    {"turn": "embedded", "dockerHostAddress": "10.0.0.1", "turnRelayPorts": "65034-65533", "turnsPort": "65535"},
    {"turn": "embedded", "dockerHostAddress": "10.0.0.1,fd00::1", "jvbBindAddress": "0.0.0.0,::"},
    {"rabbitMq": "embedded", "enableStatistics": "true"},
    *(
        {**BROKER, "rabbitUrl": f"{origin}{PUBLISH}"}
        for origin in ("http://10.1.2.3:1", "https://mq:65535", "https://mq.example.org", f"http://{'a' * 63}.local:80")
    ),
    {**BROKER, "dockerHostAddress": ",".join(f"203.0.113.{n}" for n in range(1, 200))},
    {**BROKER, "docker:host": "ssh://deploy@video.example.org"},
]


def scripts(values: dict[str, str]) -> dict[str, str]:
    rules = blueprint(load(**{key: value for key, value in values.items() if ":" not in key})).outputs["firewallRules"]
    assert isinstance(rules, dict)
    return {name: script for name, script in rules.items() if script}


def test_nft_takes_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("unshare") is None:
        pytest.skip("needs root, nft and unshare")
    refused, seen = [], 0
    for values in EXTREMES:
        for name, script in scripts(values).items():
            file = tmp_path_factory.mktemp("rules") / "script.nft"
            file.write_text(script.replace(*AS_IT_SAYS))
            # Twice: each script says that it replaces its own table.
            command = ["unshare", "--net", "sh", "-c", f"nft -f {file} && nft -f {file}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            seen += 1
            if done.returncode:
                refused.append((values, name, done.stderr))
    assert refused == []
    assert seen > len(EXTREMES)
