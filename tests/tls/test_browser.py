"""A real browser at a real nginx that serves the certificates of the ways `local-ca` and `own`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.stack import topology
from components.stack.spec import SecretRef
from tests.pem import certificate
from tests.tls.browser import Browser
from tests.tls.conftest import HOST, Certificate
from tests.values import container, load

pytestmark = pytest.mark.servers

Serve = Callable[[str, str], int]
LocalCa = Callable[[str], Certificate]


def uploaded(chain: str, private_key: str, **values: str) -> tuple[str, str]:
    """What web gets at the two paths that its nginx reads, with these secrets of a stack."""
    secrets = {"tls_certificate": chain, "tls_private_key": private_key}
    files = {one.path: one.content for one in container("web", load(**values)).files}
    contents = []
    for path in (topology.WEB_CERTIFICATE, topology.WEB_PRIVATE_KEY):
        reference = files[path]
        assert isinstance(reference, SecretRef)
        contents.append(secrets[reference.name])
    return contents[0], contents[1]


def test_who_trusts_the_local_authority_sees_the_page_without_a_warning(
    chromium: Browser, serve: Serve, local_ca: LocalCa
) -> None:
    made = local_ca(HOST)
    port = serve(*uploaded(made.chain, made.private_key, tls="local-ca"))
    chromium.trust(made.authority)
    seen = chromium.visit(f"https://{HOST}:{port}/")
    assert seen.opened, seen


def test_who_does_not_is_warned(chromium: Browser, serve: Serve, local_ca: LocalCa) -> None:
    made = local_ca(HOST)
    port = serve(*uploaded(made.chain, made.private_key, tls="local-ca"))
    assert chromium.visit(f"https://{HOST}:{port}/").error == "ERR_CERT_AUTHORITY_INVALID"


def test_the_local_authority_vouches_for_no_other_host(chromium: Browser, serve: Serve, local_ca: LocalCa) -> None:
    made = local_ca(HOST)
    port = serve(made.chain, made.private_key)
    chromium.trust(made.authority)
    assert chromium.visit(f"https://elsewhere.local:{port}/").error == "ERR_CERT_COMMON_NAME_INVALID"


def test_the_authority_of_another_stack_counts_for_nothing(chromium: Browser, serve: Serve, local_ca: LocalCa) -> None:
    """Each has the same name; the key decides."""
    made, other = local_ca(HOST), local_ca("other.local")
    assert made.authority != other.authority
    port = serve(made.chain, made.private_key)
    chromium.trust(other.authority)
    assert chromium.visit(f"https://{HOST}:{port}/").error == "ERR_CERT_AUTHORITY_INVALID"


def test_a_page_at_an_ip_address_is_trusted_too(chromium: Browser, serve: Serve, local_ca: LocalCa) -> None:
    made = local_ca("127.0.0.1")
    port = serve(made.chain, made.private_key)
    chromium.trust(made.authority)
    assert chromium.visit(f"https://127.0.0.1:{port}/").opened


@pytest.mark.parametrize(
    ("host", "error"),
    [("video.example.org", None), ("wrong.example.org", "ERR_CERT_COMMON_NAME_INVALID")],
)
def test_an_own_certificate_serves_its_host_and_no_other(
    chromium: Browser, serve: Serve, host: str, error: str | None
) -> None:
    """`load` refuses such a wrong one before; the browser would too."""
    chain, private_key = certificate("video.example.org", days=90)
    values = {
        "publicUrl": "https://video.example.org:8443",
        "tls": "own",
        "tlsCertificate": chain,
        "tlsPrivateKey": private_key,
    }
    port = serve(*uploaded(chain, private_key, **values))
    chromium.trust(chain)
    seen = chromium.visit(f"https://{host}:{port}/")
    assert seen.error == error
    assert seen.opened is (error is None)


def test_an_own_certificate_that_has_ended_is_refused(chromium: Browser, serve: Serve) -> None:
    chain, private_key = certificate("video.example.org", days=-1, starts=-90)
    port = serve(chain, private_key)
    chromium.trust(chain)
    assert chromium.visit(f"https://video.example.org:{port}/").error == "ERR_CERT_DATE_INVALID"
