"""The program that `pulumi up` runs: settings, one component, its outputs."""

import pulumi
import pulumi_docker as docker

from components.config import rules, source
from components.resources.diagnosis import exit_without_traceback
from components.resources.docker_host import provider_arguments
from components.video_backend import VideoBackend

exit_without_traceback()  # Ctrl-C reaches the program beside the engine, which says all that there is to say

settings = source.read()
for warning in rules.warnings(settings):
    pulumi.log.warn(warning)

provider = docker.Provider("docker", **provider_arguments(settings))
backend = VideoBackend("videobackend", settings, opts=pulumi.ResourceOptions(providers=[provider]))
for name, value in backend.outputs.items():
    pulumi.export(name, value)
