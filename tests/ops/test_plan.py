from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ops.project import ROOT, Project, one_line_error

OWN = {
    "jwtAppSecret": "own-jwt-app-secret-6e2f0a41c9d7b583",
    "jvbAuthPassword": "own-jvb-password-6e2f0a41c9d7b583",
    "jicofoAuthPassword": "own-jicofo-password-6e2f0a41c9d7b583",
    "rabbitPassword": "own-rabbit-password-6e2f0a41c9d7b583",
}
CIPHERTEXT = "v1:q83vEjRWeJCrze8=:6e2f0a41c9d7b583"
STATISTICS = """
  publicUrl: https://onlineberatung.local:8443
  enableStatistics: true
  rabbitUrl: https://mq.example.org/api/exchanges/%2F/statistics.topic/publish
  rabbitUsername: statistics
"""
WITH_OWN_SECRETS = (
    "encryptionsalt: v1:abc\nconfig:" + STATISTICS + "".join(f"  {key}: {{secure: '{CIPHERTEXT}'}}\n" for key in OWN)
)
# The plan decrypts nothing; this one meets the plain text all the same, as the engine's program does.
DECRYPTING = f"""
import sys
from ops import __main__
from ops.project import stackfile
plain, own = stackfile._text, {OWN!r}
stackfile._text = lambda key, value: own.get(key.partition(":")[2]) or plain(key, value)
sys.exit(__main__.main(sys.argv[1:]))
"""
STACK_URN = "urn:pulumi:dev::videobackend::pulumi:pulumi:Stack::videobackend-dev"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.make(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def dev(shared: Project) -> dict[str, Any]:
    run = shared.ops("plan", "--stack", "dev", "--json")
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _named(plan: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in plan["resources"] if one["name"] == name]
    return found  # type: ignore[no-any-return]


def test_json_is_resources_and_outputs_and_nothing_else_on_stdout(dev: dict[str, Any]) -> None:
    assert set(dev) == {"resources", "outputs"}
    assert {frozenset(one) for one in dev["resources"]} == {frozenset({"urn", "type", "name", "parent", "inputs"})}


def test_every_parent_is_a_resource_before_its_children_and_only_the_stack_has_none(dev: dict[str, Any]) -> None:
    seen: set[str] = set()
    for one in dev["resources"]:
        assert one["parent"] in seen if seen else one["parent"] is None
        assert one["urn"] not in seen, "two resources with one URN"
        seen.add(one["urn"])


def test_urns_have_the_engines_shape(dev: dict[str, Any]) -> None:
    backend = _named(dev, "videobackend")
    assert backend["parent"] == STACK_URN
    assert backend["urn"] == "urn:pulumi:dev::videobackend::videobackend:index:VideoBackend::videobackend"
    web = _named(dev, "videobackend-web")
    assert web["parent"] == backend["urn"]
    assert web["urn"].split("::")[2:] == [
        "videobackend:index:VideoBackend$docker:index/container:Container",
        "videobackend-web",
    ]
    password = _named(dev, "videobackend-credentials-jvb-auth-password")
    assert password["urn"].split("::")[2] == (
        "videobackend:index:VideoBackend$videobackend:index:Credentials$random:index/randomPassword:RandomPassword"
    )


def test_inputs_are_plain_values_with_each_secret_of_a_list_on_its_own(dev: dict[str, Any]) -> None:
    jvb = _named(dev, "videobackend-jvb")["inputs"]
    assert "JVB_AUTH_PASSWORD=[secret]" in jvb["envs"]
    assert "JVB_AUTH_USER=jvb" in jvb["envs"]
    assert jvb["ports"] == [{"external": 10000, "internal": 10000, "ip": "0.0.0.0", "protocol": "udp"}]


def test_what_only_a_running_stack_knows_is_called_so(dev: dict[str, Any]) -> None:
    labels = {one["label"]: one["value"] for one in _named(dev, "videobackend-jvb")["inputs"]["labels"]}
    assert labels["videobackend.session"] == "[known after up]"


def test_outputs_show_the_plain_environment_and_no_secret(dev: dict[str, Any]) -> None:
    outputs = dev["outputs"]
    assert outputs["publicUrl"] == "https://onlineberatung.local:8443"
    assert outputs["settings"]["jvb"]["JVB_AUTH_USER"] == "jvb"
    assert {outputs[name] for name in ("credentials", "statisticsConfig", "videoServiceProperties")} == {"[secret]"}


def test_the_tree_nests_resources_below_their_parents_and_says_what_it_is_not(shared: Project) -> None:
    run = shared.ops("plan", "--full")
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    (network,) = [line for line in lines if line.endswith("docker:index/network:Network  videobackend-network")]
    assert network.startswith("   ├─ ")
    assert any(line.startswith("   │       name: videobackend-dev-meet.jitsi") for line in lines)
    assert "compares with no state" in run.stdout
    assert "not decrypted" in run.stdout


def test_a_long_file_shows_as_its_hash_in_the_tree(shared: Project, dev: dict[str, Any]) -> None:
    uploads = _named(dev, "videobackend-prosody")["inputs"]["uploads"]
    longest = max((one["content"] for one in uploads), key=len)
    run = shared.ops("plan", "--full")
    assert run.returncode == 0, f"exit code {run.returncode}: {run.stderr}"
    tree = run.stdout
    assert f"({longest.count(chr(10))} lines, sha256 {hashlib.sha256(longest.encode()).hexdigest()[:16]})" in tree
    assert max(longest.splitlines(), key=len).strip() not in tree


def test_the_example_of_production_shows_its_dns_records(shared: Project) -> None:
    run = shared.ops("plan", "--stack", "prod", "--json")
    assert run.returncode == 0, run.stderr
    types = [one["type"] for one in json.loads(run.stdout)["resources"]]
    assert "cloudflare:index/dnsRecord:DnsRecord" in types
    assert CIPHERTEXT not in run.stdout


@pytest.mark.parametrize("form", ["--full", "--json"])
def test_an_own_secret_shows_nowhere(shared: Project, form: str) -> None:
    shared.stack("own", WITH_OWN_SECRETS)
    run = shared.python(["-c", DECRYPTING, "plan", "--stack", "own", form])
    assert run.returncode == 0, run.stderr
    assert "JWT_APP_SECRET=[secret]" in run.stdout
    assert "enable_statistics = true" not in run.stdout, "the statistics file is a secret as a whole"
    for key, secret in OWN.items():
        assert secret not in run.stdout + run.stderr, key


def test_an_encrypted_setting_of_the_docker_provider_shows_as_secret(shared: Project) -> None:
    registry = "\n  docker:registryAuth: [{address: r.example.org, username: u, password: {secure: x}}]\n"
    shared.stack(
        "registry",
        "config:\n  publicUrl: https://onlineberatung.local:8443\n  docker:keyMaterial: {secure: x}" + registry,
    )
    run = shared.ops("plan", "--stack", "registry", "--json")
    assert run.returncode == 0, run.stderr
    (provider,) = [one for one in json.loads(run.stdout)["resources"] if one["type"] == "pulumi:providers:docker"]
    assert provider["inputs"]["keyMaterial"] == provider["inputs"]["registryAuth"] == "[secret]"


def test_encrypted_values_count_as_present_and_their_ciphertext_is_not_shown(shared: Project) -> None:
    shared.stack("own", WITH_OWN_SECRETS)
    run = shared.ops("plan", "--stack", "own", "--json")
    assert run.returncode == 0, run.stderr
    names = [one["name"] for one in json.loads(run.stdout)["resources"]]
    assert "videobackend-credentials-jwt-app-secret" not in names, "an own secret is not generated"
    assert CIPHERTEXT not in run.stdout


def test_a_secret_that_was_set_on_this_machine_alone_counts_as_present(project: Project) -> None:
    project.stack("mq", "config:" + STATISTICS)
    refused = project.ops("plan", "--stack", "mq")
    assert "make config STACK=mq ARGS='set --secret rabbitPassword'" in refused.stderr
    (project.root / ".local").mkdir()
    own = STATISTICS.replace("rabbitUsername: statistics", "rabbitUsername: another")
    copy = f"config:{own}  rabbitPassword: {{secure: v1:abc}}\n"
    (project.root / ".local" / "Pulumi.mq.yaml").write_text(copy)
    (project.root / ".local" / "Pulumi.mq.base.yaml").write_text("config:" + STATISTICS)
    run = project.ops("plan", "--stack", "mq", "--full")
    assert run.returncode == 0, run.stderr
    assert "another" not in run.stdout, "all else is the tracked file's"
    own = "make up STACK=mq also takes what make config set or removed on this machine: rabbitUsername (.local/Pulumi.mq.yaml)"
    assert own in " ".join(run.stdout.split())
    project.stack("mq", "config:\n  httpPort: 70000\n")
    refused = project.ops("plan", "--stack", "mq")
    assert refused.returncode == 1
    assert "Pulumi.mq.yaml alone; make up STACK=mq also takes what make config set" in refused.stderr.splitlines()[-1]


def test_localhost_needs_no_name_anywhere_and_is_told_from_a_public_name(shared: Project) -> None:
    shared.stack("loop", "config:\n  publicUrl: https://localhost:18443\n  dockerHostAddress: 192.0.2.10\n")
    run = shared.ops("plan", "--stack", "loop")
    assert "none: localhost is the browser's own machine, so only browsers on the Docker host" in run.stdout
    assert "must lead to the Docker host" not in run.stdout


def test_warnings_of_a_json_plan_go_to_stderr(shared: Project) -> None:
    shared.stack(
        "open",
        "config:\n  publicUrl: https://onlineberatung.local:8443\n  enableAuth: false\n  dockerHostAddress: 192.0.2.10\n",
    )
    run = shared.ops("plan", "--stack", "open", "--json")
    json.loads(run.stdout)
    assert "warning: enableAuth is false" in run.stderr


def test_a_wrong_configuration_explains_itself_without_a_traceback(shared: Project) -> None:
    shared.stack("wrong", "config:\n  httpPort: 70000\n  publicUrl: video\n  jwtAppSecret: visible-in-the-file\n")
    run = shared.ops("plan", "--stack", "wrong")
    assert run.returncode == 1
    assert run.stdout == ""
    for expected in ("'70000'", "in Pulumi.wrong.yaml: httpPort: VALUE", "then: make config STACK=wrong ARGS='set "):
        assert expected in run.stderr
    assert "Traceback" not in run.stderr
    assert "visible-in-the-file" not in run.stderr


def test_an_unknown_stack_names_those_there_are(project: Project) -> None:
    message = one_line_error(project.ops("plan", "--stack", "staging"))
    assert "'staging'" in message
    assert "stacks: dev, prod" in message


def test_broken_yaml_is_one_line(project: Project) -> None:
    project.stack("broken", "config:\n  a: [1\n")
    assert "Pulumi.broken.yaml:3 is not valid YAML" in one_line_error(project.ops("plan", "--stack", "broken"))


@pytest.mark.parametrize("command", ["plan", "preview"])
@pytest.mark.parametrize("text", ["confg:\n  httpPort: 1\n", "config:\n  httpPort:\n"])
def test_what_the_engine_would_pass_over_is_refused_before_anything_else(
    shared: Project, command: str, text: str
) -> None:
    shared.stack("odd", text)
    assert one_line_error(shared.ops(command, "--stack", "odd")).startswith("error: Pulumi.odd.yaml: ")


def test_a_terminal_without_utf_8_gets_a_plan_too(shared: Project) -> None:
    run = shared.python(["-X", "utf8=0", "-m", "ops", "plan", "--full"], PYTHONIOENCODING="iso8859-1")
    assert run.returncode == 0, run.stderr
    assert "videobackend-web" in run.stdout


def test_a_missing_cloudflare_package_says_what_to_install(project: Project) -> None:
    shadow = "raise ModuleNotFoundError('no cloudflare', name='pulumi_cloudflare')"
    (project.root / "pulumi_cloudflare.py").write_text(shadow)
    message = one_line_error(project.ops("plan", "--stack", "prod", "--full"))
    assert "pip install -r requirements/dns.txt" in message


def test_it_writes_nothing(project: Project) -> None:
    def files() -> set[Path]:
        return set(project.root.rglob("*"))

    project.copy_ops()
    before = files()
    assert project.ops("plan").returncode == 0
    assert files() == before


FULL = """config:
  publicUrl: https://video.test
  httpPort: 80
  httpsPort: 443
  bindAddress: 10.0.0.5,::1
  dockerHostAddress: 9.9.9.10
  letsencryptEmail: admin@video.test
  turn: embedded
  enableStatistics: true
  rabbitMq: embedded
  enableGuests: true
  docker:host: ssh://deploy@video.test
  jwtAppSecret: {secure: v1:abc=:def=}
environment: [team/prod]
"""


@pytest.mark.parametrize("stack", ["dev", "prod", "full"])
def test_the_plan_is_one_screen(shared: Project, golden: Callable[[str, str], None], stack: str) -> None:
    shared.stack("full", FULL)
    run = shared.ops("plan", "--stack", stack)
    assert run.returncode == 0, run.stderr
    golden(f"plan_{stack}.txt", run.stdout)
    lines = run.stdout.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 150


def test_the_screen_and_the_drawing_need_neither_pulumi_nor_the_providers_packages(shared: Project) -> None:
    for form in ("screen", "mermaid"):
        script = f"import sys; from ops import plan; plan.run('dev', form={form!r}); print('pulumi' in sys.modules)"
        run = shared.python(["-c", script])
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines()[-1] == "False"


def test_the_readme_shows_the_drawing_of_dev(shared: Project) -> None:
    run = shared.ops("plan", "--mermaid")
    assert run.returncode == 0, run.stderr
    assert f"```mermaid\n{run.stdout}```\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_json_has_the_facts(dev: dict[str, Any]) -> None:
    assert dev["outputs"]["facts"]["stack"] == "dev"
