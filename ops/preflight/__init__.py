"""What must be there before `pulumi up` makes anything: settings, Docker, images or a way to them, free ports.

Owns these checks and their messages, and what a first use finds out about this machine. Changes nothing. Asks Docker
through its CLI; where that is missing, Pulumi's own messages must do.
"""

from ops.preflight.docker import check_docker, current_docker_host, is_local
from ops.preflight.encrypted_values import check_encrypted_values
from ops.preflight.images import check_images
from ops.preflight.machine import address_warnings, lan_address
from ops.preflight.ports import check_ports
from ops.preflight.values import check_all, check_settings, examples, placeholders

__all__ = [
    "address_warnings",
    "check_all",
    "check_docker",
    "check_encrypted_values",
    "check_images",
    "check_ports",
    "check_settings",
    "current_docker_host",
    "examples",
    "is_local",
    "lan_address",
    "placeholders",
]
