"""DNS records: made, kept and removed by the real provider, against a stand-in for Cloudflare's API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import docker_host, toolbox, workspace
from tests.engine.cloudflare import TOKEN, ZONE_ID, Cloudflare
from tests.engine.conftest import GOOD
from tests.engine.toolbox import Missing
from tests.engine.workspace import Workspace

HOST = "video.beratung.zz"


@pytest.fixture(scope="module")
def api() -> Iterator[Cloudflare]:
    made = Cloudflare("beratung.zz")
    yield made
    made.close()


@pytest.fixture(scope="module")
def stack(
    images: None, api: Cloudflare, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Workspace]:
    """A stack with a public name, two public addresses and a private one, up from nothing."""
    cache = request.config.cache
    kept = cache.mkdir("engine") if cache else tmp_path_factory.mktemp("cache")
    try:
        tools = toolbox.find(tmp_path_factory.mktemp("dns-home"), kept, requirements="requirements/dns.txt")
    except Missing as missing:
        pytest.skip(str(missing))
    config = {
        "publicUrl": f"https://{HOST}",
        "tls": "local-ca",
        "dockerHostAddress": "44.0.0.10,10.1.2.3,2a10::10",
        "dnsZone": "beratung.zz",
    }
    made = Workspace(tmp_path_factory.mktemp("dns-stack"), tools, registry=GOOD, config=config)
    try:
        made.up(environment=api.environment)
        yield made
    finally:
        made.clean_up(environment=api.environment)


def test_each_public_address_gets_a_record_that_is_not_proxied(stack: Workspace, api: Cloudflare) -> None:
    records = {one["type"]: one for one in api.records.values()}
    assert len(api.records) == len(records) == 2
    assert (records["A"]["content"], records["AAAA"]["content"]) == ("44.0.0.10", "2a10::10")
    for one in records.values():
        assert (one["name"], one["ttl"], one["proxied"]) == (HOST, 300, False)
        assert one["comment"] == f"videobackend, stack {stack.stack}: managed by Pulumi"
    assert set(stack.outputs()["dnsRecords"]) == {f"{HOST} A 44.0.0.10", f"{HOST} AAAA 2a10::10"}


def test_a_preview_after_a_refresh_of_the_records_shows_no_change(stack: Workspace, api: Cloudflare) -> None:
    stack.refresh(environment=api.environment)
    run = stack.preview("--expect-no-changes", environment=api.environment)
    assert run.code == 0, run.text


def test_a_zone_given_by_its_id_changes_no_record_and_is_not_looked_up(stack: Workspace, api: Cloudflare) -> None:
    stack.config["dnsZoneId"] = ZONE_ID
    stack.write()
    seen = len(api.requests)
    run = stack.preview("--expect-no-changes", environment=api.environment)
    assert run.code == 0, run.text
    assert not [one for one in api.requests[seen:] if one.endswith("/zones")]


def test_another_ttl_changes_the_records_and_no_container(stack: Workspace, api: Cloudflare) -> None:
    stack.config["dnsTtl"] = 600
    stack.write()
    assert workspace.replaced(stack.steps(environment=api.environment)) == set()
    before = docker_host.identities(stack.stack)
    stack.up(environment=api.environment)
    assert {one["ttl"] for one in api.records.values()} == {600}
    assert docker_host.identities(stack.stack) == before


def test_the_token_stands_in_no_file_and_no_output(stack: Workspace) -> None:
    stored = [file.read_text(encoding="utf-8") for file in stack.state.rglob("*") if file.is_file()]
    assert not any(TOKEN in text for text in (*stored, *stack.transcript))


def test_without_a_zone_the_records_go_and_the_containers_stay(stack: Workspace, api: Cloudflare) -> None:
    before = docker_host.identities(stack.stack)
    stack.write(dnsZone=None, dnsZoneId=None)
    stack.up(environment=api.environment)
    assert api.records == {}
    assert docker_host.identities(stack.stack) == before
    stack.write()


def test_destroy_removes_the_records(stack: Workspace, api: Cloudflare) -> None:
    stack.up(environment=api.environment)
    assert len(api.records) == 2
    stack.destroy(environment=api.environment)
    assert api.records == {}
    assert docker_host.leftovers(stack.stack) == []
