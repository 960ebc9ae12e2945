"""Certificates component: the TLS material of web where this program provides it.

Owns the local certificate authority with the certificate for publicUrl's host, both kept in the stack's state, and
the hand-over of the operator's own certificate. Does not own Let's Encrypt's and the image's self-signed ones,
which the web image makes, nor the check of an operator's certificate (`certificate`).
"""

from __future__ import annotations

from typing import Final

import pulumi
import pulumi_tls as tls

from components.stack.certificate import LocalCa, OwnCertificate

_DAY: Final = 24
CA_VALIDITY_HOURS: Final = 3650 * _DAY
SERVER_VALIDITY_HOURS: Final = 397 * _DAY
"""As long as browsers take of any authority (CA/Browser Forum, ballot SC31; private ones may last longer)."""
EARLY_RENEWAL_HOURS: Final = 60 * _DAY
"""An `up` within this time before the end makes a new certificate."""


class Certificates(pulumi.ComponentResource):
    """Certificate chain and private key as PEM, and the authority to trust where it is the stack's own."""

    chain: pulumi.Output[str]
    private_key: pulumi.Output[str]
    ca_certificate: pulumi.Output[str] | None

    def __init__(self, name: str, wanted: LocalCa | OwnCertificate, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("videobackend:index:Certificates", name, None, opts)
        if isinstance(wanted, OwnCertificate):
            self.chain = pulumi.Output.secret(wanted.chain.reveal())
            self.private_key = pulumi.Output.secret(wanted.private_key.reveal())
            self.ca_certificate = None
        else:
            self._local_ca(name, wanted)
        self.register_outputs({})

    def _local_ca(self, name: str, wanted: LocalCa) -> None:
        child = pulumi.ResourceOptions(parent=self)
        ca_key = tls.PrivateKey(f"{name}-ca-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
        authority = tls.SelfSignedCert(
            f"{name}-ca",
            private_key_pem=ca_key.private_key_pem,
            is_ca_certificate=True,
            max_path_length=0,
            set_subject_key_id=True,
            subject=tls.SelfSignedCertSubjectArgs(common_name=wanted.authority, organization="videobackend"),
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=CA_VALIDITY_HOURS,
            early_renewal_hours=SERVER_VALIDITY_HOURS,
            opts=child,
        )
        server_key = tls.PrivateKey(f"{name}-server-key", algorithm="ECDSA", ecdsa_curve="P256", opts=child)
        request = tls.CertRequest(
            f"{name}-server-request",
            private_key_pem=server_key.private_key_pem,
            # A common name holds 64 characters (X.520) and browsers look at the names below only.
            subject=tls.CertRequestSubjectArgs(organization="videobackend"),
            dns_names=None if wanted.is_address else [wanted.host],
            ip_addresses=[wanted.host] if wanted.is_address else None,
            opts=child,
        )
        server = tls.LocallySignedCert(
            f"{name}-server",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=ca_key.private_key_pem,
            ca_cert_pem=authority.cert_pem,
            allowed_uses=["digital_signature", "server_auth"],
            validity_period_hours=SERVER_VALIDITY_HOURS,
            early_renewal_hours=EARLY_RENEWAL_HOURS,
            opts=child,
        )
        self.chain = server.cert_pem
        self.private_key = pulumi.Output.secret(server_key.private_key_pem)
        self.ca_certificate = authority.cert_pem
