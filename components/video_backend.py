"""VideoBackend component: the whole video backend of one environment.

Owns how the parts come together and what the stack hands out. Makes no container and decides nothing about one.
"""

from __future__ import annotations

from typing import Any

import pulumi

from components.config.settings import Settings
from components.resources import diagnosis
from components.resources.certificates import Certificates
from components.resources.credentials import Credentials
from components.resources.docker_cli import DockerCli
from components.resources.docker_host import DockerHost
from components.resources.secret_values import resolve_container, resolve_output
from components.stack.blueprint import blueprint
from components.stack.topology import physical_name


class VideoBackend(pulumi.ComponentResource):
    """web, prosody, jicofo and jvb with their network, volumes, secrets and DNS records.

    Args:
        name: logical name, and prefix of the physical names.
        settings: the environment's settings.
        opts: options; children use the docker provider given here.
    """

    outputs: dict[str, pulumi.Input[Any]]
    """What the stack exports, by output name."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("videobackend:index:VideoBackend", name, None, opts)
        cli = DockerCli.of(settings, decrypted=True)
        wanted = blueprint(settings)
        child = pulumi.ResourceOptions(parent=self)
        credentials = Credentials(f"{name}-credentials", wanted.credentials, child)
        passed_on = {key: pulumi.Output.secret(secret.reveal()) for key, secret in wanted.passed_on.items()}
        secrets = {**credentials.values, **passed_on}
        outputs: dict[str, pulumi.Input[Any]] = {}
        if wanted.certificate is not None:
            certificates = Certificates(f"{name}-certificates", wanted.certificate, child)
            secrets |= {"tls_certificate": certificates.chain, "tls_private_key": certificates.private_key}
            if certificates.ca_certificate is not None:
                outputs["caCertificate"] = certificates.ca_certificate
        containers = {spec.role: physical_name(name, wanted.stack, spec.role) for spec in wanted.containers}
        outputs["containers"] = containers
        outputs |= {key: resolve_output(value, secrets) for key, value in wanted.outputs.items()}
        resolved = {spec.role: resolve_container(spec, secrets) for spec in wanted.containers}
        hooks = diagnosis.hooks(name, wanted.containers, containers, secrets, cli)
        DockerHost(name=name, stack=wanted.stack, parent=self).place(wanted.containers, resolved, hooks)
        if wanted.dns is not None:
            from components.resources.dns import DnsRecords  # pulumi_cloudflare takes seconds to import

            DnsRecords(f"{name}-dns", wanted.dns, child)
        self.outputs = outputs
        self.register_outputs({"publicUrl": outputs["publicUrl"]})
