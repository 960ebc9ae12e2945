"""Whether browsers trust the certificate, and for how much longer."""

from __future__ import annotations

import ssl
import time
from typing import Final
from urllib.parse import urlsplit

from ops.verify import net
from ops.verify.context import Context
from ops.verify.deployed import DeployedStack
from ops.verify.net import Unreachable, Unresolved
from ops.verify.result import Result, failed, ok, skipped, warning

_SOON_DAYS: Final = 30
_DAY: Final = 24 * 3600
_SELF_SIGNED: Final = 18  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_MISMATCH: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_UNKNOWN: Final = (2, 19, 20, 21)  # the chain does not end at an authority that is trusted


async def check(context: Context) -> Result:
    """A TLS handshake that trusts caCertificate where the stack has one, else what this system trusts."""
    stack = context.stack
    try:
        tls = ssl.create_default_context(cadata=stack.ca_certificate)
    except (ssl.SSLError, ValueError):
        return failed("the output caCertificate is no certificate", "bring the stack up again")
    try:
        address = await context.address()
    except Unresolved:
        return skipped("no address to connect to (see name)")
    except Unreachable as error:
        return failed(
            f"no connection to {stack.host}: {error}",
            f"is the stack up (make outputs)? does a firewall let TCP {stack.port} through? --address IP tries another "
            "address",
        )
    try:
        _, writer = await net.connect(address, stack.port, tls, stack.host)
    except ssl.SSLCertVerificationError as error:
        return _distrusted(context, error)
    except Unreachable as error:
        return failed(f"no https at {stack.host}: {error}", _serve_https(stack))
    found = writer.get_extra_info("peercert")
    writer.transport.abort()
    return judge_days(ssl.cert_time_to_seconds(found["notAfter"]) - time.time(), stack)


def _serve_https(stack: DeployedStack) -> str:
    """What to do where the port of publicUrl answers, and not with TLS."""
    if stack.behind_proxy:
        return f"your proxy must serve https, with its certificate, at port {stack.port} (docs/tls.md, proxy)"
    return f"another server has port {stack.port}, or web has no certificate: bring the stack up; {stack.logs('web')}"


def judge_days(seconds: float, stack: DeployedStack) -> Result:
    """The verdict on a valid certificate that has so many seconds left."""
    days = int(seconds // _DAY)
    detail = f"valid for {stack.host}, for {days} more {'day' if days == 1 else 'days'}"
    if days < _SOON_DAYS:
        return warning(
            detail, f"renew it now; where that goes by itself, web's log says why it did not: {stack.logs('web')}"
        )
    return ok(detail)


def _distrusted(context: Context, error: ssl.SSLCertVerificationError) -> Result:
    stack = context.stack
    code = error.verify_code
    if code in _MISMATCH:
        return failed(
            f"the certificate is for another host than {stack.host}",
            "give web a certificate that names the host of publicUrl; or the name leads to another server",
        )
    if code == _EXPIRED:
        return failed(f"the certificate of {stack.host} has expired", "renew it, then bring the stack up")
    if code in (*_UNKNOWN, _SELF_SIGNED):
        return _of_no_authority(stack, self_signed=code == _SELF_SIGNED)
    return failed(f"the certificate is not valid: {error.verify_message}", "replace it, then bring the stack up")


def _of_no_authority(stack: DeployedStack, *, self_signed: bool) -> Result:
    if stack.letsencrypt:
        return _of_no_authority_by_acme(stack)
    if self_signed and stack.ca_certificate is None:
        if stack.hosts_entry or stack.has_address:
            return warning(
                "the certificate is the image's own, self-signed: browsers ask before they open the page",
                "fine for trying out on one machine; tls local-ca makes one that can be trusted (docs/tls.md)",
            )
        return failed(
            "the certificate is self-signed, so no browser trusts it",
            "use tls letsencrypt, or own with a certificate of an authority (docs/tls.md)",
        )
    authority = "the stack's own authority (caCertificate)" if stack.ca_certificate else "an authority known here"
    return failed(
        f"the certificate's chain does not lead to {authority}",
        "serve the whole chain (certificate, then intermediates); or bring the stack up to put its certificate back",
    )


def _of_no_authority_by_acme(stack: DeployedStack) -> Result:
    server = stack.acme_server
    if "//acme-staging" in server:
        return failed(
            "the certificate is from Let's Encrypt's staging, which no browser trusts",
            "docs/tls.md, letsencrypt, says how to get from staging to a real one",
        )
    if server and not (urlsplit(server).hostname or "").endswith(".letsencrypt.org"):
        return failed(
            f"the certificate is from the authority of {server} (letsencryptAcmeServer), which is not trusted here",
            "callers' machines must trust that authority; run verify on one of them, or set SSL_CERT_FILE to its certificate",
        )
    return failed(
        "the certificate is not from Let's Encrypt, though it should be: its authority is not known here",
        "one from staging or self-signed stays until it is forgotten: docs/tls.md, letsencrypt, says how; "
        + stack.logs("web"),
    )
