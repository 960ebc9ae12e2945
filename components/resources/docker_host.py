"""One Docker host: ContainerSpec → docker.Container, with networks and volumes.

Owns every argument and option of these resources, and so the ways around the provider's traps: some changes are
"updated" without being applied, the default stop is SIGKILL, dependants keep a dead session, and a failed first
start stays failed. Decides nothing about the services themselves (`services`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.config.settings import Settings
from components.resources.diagnosis import Hooks
from components.resources.secret_values import Resolved
from components.stack import topology
from components.stack.spec import ContainerSpec, HealthSpec
from components.stack.topology import LABEL_ROLE, LABEL_STACK

LABEL_SESSION: Final = "videobackend.session"


def provider_arguments(settings: Settings) -> dict[str, Any]:
    """All arguments of the Docker provider; what is stored encrypted stays secret."""
    # Unset, the provider's context would be DOCKER_CONTEXT's, and overrule the host.
    values = {"host": settings.docker_url, "context": "", **settings.docker}
    return {
        name: pulumi.Output.secret(value) if name in settings.docker_secrets else value
        for name, value in values.items()
    }


@dataclass(frozen=True, kw_only=True)
class DockerHost:
    """Where to place: names and the parent.

    Args:
        name: logical prefix of the resources.
        stack: the stack; physical names carry it, so that stacks can share a host.
        parent: the component that the resources belong to.
    """

    name: str
    stack: str
    parent: pulumi.Resource

    def physical(self, role: str) -> str:
        """The name on the Docker host."""
        return topology.physical_name(self.name, self.stack, role)

    def place(
        self, specs: Sequence[ContainerSpec], resolved: Mapping[str, Resolved], hooks: Mapping[str, Hooks]
    ) -> None:
        """Makes the networks, then each service after those that it starts after.

        Args:
            specs: the services.
            resolved: their environments and files, by role.
            hooks: what explains a failure, by role.
        """
        networks = {name: self._network(name) for name in dict.fromkeys(one for spec in specs for one in spec.networks)}
        volumes: dict[str, docker.Volume] = {}
        placed: dict[str, docker.Container] = {}
        for spec in specs:
            for one in spec.volumes:
                if one.name not in volumes:
                    volumes[one.name] = self._volume(one.name, spec.role)
            placed[spec.role] = self._container(
                spec, resolved[spec.role], hooks[spec.role], networks=networks, volumes=volumes, placed=placed
            )

    def _network(self, name: str) -> docker.Network:
        main = name == topology.NETWORK
        return docker.Network(
            f"{self.name}-network" if main else f"{self.name}-{name}-network",
            name=self.physical(name),
            driver="bridge",
            # Only calls need the world outside.
            internal=not main,
            labels=[docker.NetworkLabelArgs(label=LABEL_STACK, value=self.stack)],
            opts=pulumi.ResourceOptions(parent=self.parent, delete_before_replace=True),
        )

    def _container(
        self,
        spec: ContainerSpec,
        resolved: Resolved,
        hooks: Hooks,
        *,
        networks: Mapping[str, docker.Network],
        volumes: Mapping[str, docker.Volume],
        placed: Mapping[str, docker.Container],
    ) -> docker.Container:
        name = self.physical(spec.role)
        image = docker.RemoteImage(
            f"{self.name}-{spec.role}-image",
            name=spec.image,
            # Another stack may run it, and the next `up` would fetch it again.
            keep_locally=True,
            opts=pulumi.ResourceOptions(
                parent=self.parent,
                hooks=pulumi.ResourceHookBinding(on_error=[hooks.image]),
            ),
        )
        return docker.Container(
            f"{self.name}-{spec.role}",
            name=name,
            image=spec.image,
            hostname=None if spec.host_network else spec.role,
            network_mode="host" if spec.host_network else None,
            command=list(spec.command) or None,
            user=spec.user,
            envs=[_assignment(key, value) for key, value in resolved.environment],
            labels=self._labels(spec, placed),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=networks[one].name, aliases=list(spec.aliases))
                for one in spec.networks
            ]
            or None,
            ports=[
                docker.ContainerPortArgs(internal=one.internal, external=one.external, protocol=one.protocol, ip=one.ip)
                for one in spec.ports
            ],
            uploads=[_upload(path, content) for path, content in resolved.files],
            volumes=[
                docker.ContainerVolumeArgs(
                    volume_name=volumes[one.name].name, container_path=one.path, read_only=one.read_only or None
                )
                for one in spec.volumes
            ],
            tmpfs=dict(spec.tmpfs),
            read_only=spec.read_only,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=sorted(spec.capabilities) or None),
            security_opts=[] if spec.gains_capabilities else ["no-new-privileges:true"],
            memory=spec.memory,
            # Without it there is as much swap again, and a difference after each refresh.
            memory_swap=spec.memory,
            healthcheck=_healthcheck(spec.health),
            wait=spec.awaited,
            wait_timeout=spec.health.deadline if spec.awaited else None,
            restart=spec.restart,
            log_driver="json-file",
            log_opts={"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
            destroy_grace_seconds=spec.stop_grace,
            opts=pulumi.ResourceOptions(
                parent=self.parent,
                depends_on=[image, *(placed[role] for role in spec.starts_after)],
                # The name and the published ports can be held by one container only.
                delete_before_replace=True,
                # A container that never became healthy is in the state with an init error: make it anew.
                replace_on_changes=["#initerror"],
                replacement_trigger=spec.fingerprint,
                hooks=pulumi.ResourceHookBinding(on_error=[hooks.container]),
            ),
        )

    def _labels(self, spec: ContainerSpec, placed: Mapping[str, docker.Container]) -> list[docker.ContainerLabelArgs]:
        labels: dict[str, pulumi.Input[str]] = {
            LABEL_STACK: self.stack,
            LABEL_ROLE: spec.role,
        }
        if spec.replaced_with is not None:
            # `replace_with` sees a replacement only. One that was removed behind the engine's back is created anew, and
            # its id tells that too.
            labels[LABEL_SESSION] = placed[spec.replaced_with].id
        return [docker.ContainerLabelArgs(label=label, value=value) for label, value in sorted(labels.items())]

    def _volume(self, name: str, role: str) -> docker.Volume:
        return docker.Volume(
            f"{self.name}-{name}",
            name=self.physical(name),
            labels=[
                docker.VolumeLabelArgs(label=LABEL_STACK, value=self.stack),
                docker.VolumeLabelArgs(label=LABEL_ROLE, value=role),
            ],
            opts=pulumi.ResourceOptions(parent=self.parent),
        )


def _upload(path: str, content: pulumi.Input[str] | bytes) -> docker.ContainerUploadArgs:
    if isinstance(content, bytes):
        return docker.ContainerUploadArgs(file=path, content_base64=b64encode(content).decode())
    return docker.ContainerUploadArgs(file=path, content=content)


def _assignment(name: str, value: pulumi.Input[str]) -> pulumi.Input[str]:
    return f"{name}={value}" if isinstance(value, str) else pulumi.Output.concat(name, "=", value)


def _healthcheck(health: HealthSpec) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=list(health.command),
        interval=go_duration(health.interval),
        timeout=go_duration(health.timeout),
        start_period=go_duration(health.start_period),
        retries=health.retries,
    )


def go_duration(seconds: int) -> str:
    """Whole seconds in Go's canonical spelling: another one (`60s` for `1m0s`) differs after each refresh."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
