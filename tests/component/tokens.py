"""Type tokens of the resources, as URNs have them."""

from __future__ import annotations

from typing import Final

CONTAINER: Final = "docker:index/container:Container"
IMAGE: Final = "docker:index/remoteImage:RemoteImage"
NETWORK: Final = "docker:index/network:Network"
VOLUME: Final = "docker:index/volume:Volume"
PASSWORD: Final = "random:index/randomPassword:RandomPassword"

COMPONENTS: Final = {
    "VideoBackend": "videobackend:index:VideoBackend",
    "Credentials": "videobackend:index:Credentials",
    "Certificates": "videobackend:index:Certificates",
    "DnsRecords": "videobackend:index:DnsRecords",
}
"""Every component's type token. A token is part of each URN below it: a change of one replaces them all."""
