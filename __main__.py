"""The program that `pulumi up` runs: settings, one component, its outputs."""

import pulumi
import pulumi_docker as docker

from components.config.settings import Settings
from components.video_backend import VideoBackend

settings = Settings.from_config()
for warning in settings.warnings:
    pulumi.log.warn(warning)

provider = docker.Provider("docker", **settings.docker_arguments)
backend = VideoBackend("videobackend", settings, opts=pulumi.ResourceOptions(providers=[provider]))
for name, value in backend.outputs.items():
    pulumi.export(name, value)
