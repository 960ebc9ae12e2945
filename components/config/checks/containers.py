"""Images, logs, clock and files of the containers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from components.config.checks.text import CONTROL, Invalid, example_from, integer, one_of, unquoted
from components.config.suggestions import nearest
from components.config.tables import languages, time_zones

_OFFSET: Final = re.compile(r"(?:gmt|utc)?([+-])0?([0-9]{1,2})(?::?(?:00|([0-9]{2})))?")
_MOST_MEMORY: Final = 1024 * 1024
"""MiB; beyond it somebody meant another unit."""
_IMAGES: Final = "web|prosody|jicofo|jvb"
SUPPORTED_RELEASE: Final = 11146
"""First release whose images run without root, with ports 8000/8443 and /storage inside."""


def _registries(text: str) -> list[str]:
    """Without scheme, credentials, tag, capitals and trailing slash; a password with a / would reach into the path."""
    plain = re.fullmatch(r"(?:[a-z]+://)?(?:[^/@\s]*@)?([^@\s]*?)/*", text, re.IGNORECASE)
    path = plain[1].lower() if plain else ""
    path = re.sub(r"^hub\.docker\.com/(?:r/|u/|_/)?", "docker.io/", path)
    untagged = re.sub(r"(?::[^:/]*|@sha256:[0-9a-f]*)$", "", path)
    return [path, untagged, re.sub(rf"/(?:{_IMAGES})$", "", untagged)]


@example_from(_registries, "REGISTRY/PATH")
def image_registry(text: str) -> str:
    """Registry and path in front of /web, /prosody, /jicofo and /jvb."""
    form = r"[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    allowed = "a registry and path in lower case, such as ghcr.io/jitsi, without scheme, tag or trailing slash"
    number = re.match(r"[^/:]+:([0-9]+)", text)
    if not re.fullmatch(form, text) or len(text) > 200 or (number and not 0 < int(number[1]) < 65536):
        raise Invalid(allowed)
    if re.search(rf"/(?:{_IMAGES})$", text):
        raise Invalid(f"{allowed}, and without the image's name, which is put behind it")
    if text.partition("/")[0] == "hub.docker.com":
        raise Invalid(f"{allowed}; the registry of Docker Hub is docker.io")
    return text


def _release_meant(text: str) -> list[str]:
    """Without zeros in front, and without -0."""
    found = re.fullmatch(r"\s*(?:stable-)?0*([0-9]{1,9})(?:-0*([0-9]{1,9}))?\s*", text)
    return [f"stable-{found[1]}-{found[2]}", f"stable-{found[1]}"] if found else []


@example_from(_release_meant)
def jitsi_release(text: str) -> str:
    """A release tag of the Jitsi images, `stable-NNNNN` or `stable-NNNNN-N`."""
    match = re.fullmatch(r"stable-([1-9][0-9]{0,8}|0)(-[1-9][0-9]{0,8})?", text)
    if match is None:
        raise Invalid("a release tag such as stable-11146-2; no moving tag such as stable, latest or unstable")
    if int(match[1]) < SUPPORTED_RELEASE:
        allowed = f"stable-{SUPPORTED_RELEASE} or newer: older images expect other ports, volumes and variables"
        raise Invalid(allowed, example=f"stable-{SUPPORTED_RELEASE}-2")
    return text


def time_zone(text: str) -> str:
    """A time zone that the images know, such as Europe/Berlin. Of any other the C library makes UTC."""
    if text in time_zones.NAMES:
        return text
    allowed = "a name of the IANA time zone database, such as Europe/Berlin or UTC"
    if text in time_zones.LEGACY:
        now = time_zones.LEGACY[text]
        raise Invalid(f"{allowed}; {text} is an old name of {now}, which the images do not know", example=now)
    meant = _time_zone_meant(text)
    if meant.startswith("Etc/GMT") and meant.lower() != unquoted(text).lower():
        raise Invalid(f"{allowed}; in its Etc names the sign is reversed: {meant} is {text.strip()}", example=meant)
    raise Invalid(allowed, example=meant)


def _time_zone_meant(text: str) -> str:
    """A zone of the same letters, of the same city, or a near one; of an offset the zone with the reversed sign."""
    plain = unquoted(text).lower().replace(" ", "_")
    by_name = {name.lower(): name for name in time_zones.NAMES}
    cities = [name for name in time_zones.NAMES if name.lower().endswith(f"/{plain}")]
    city = cities[0] if len(cities) == 1 else ""
    if plain in by_name:
        return by_name[plain]
    if offset := _OFFSET.fullmatch(plain):
        reversed_sign = "-" if offset[1] == "+" else "+"
        zone = f"Etc/GMT{reversed_sign}{int(offset[2])}"
        return zone if zone in time_zones.NAMES and not offset[3] else ""
    return city or nearest(plain, time_zones.NAMES) or ""


def restart_policy(text: str) -> str:
    """Docker's `--restart`."""
    also = dict.fromkeys(("never", "false", "off", "none", "disabled"), "no")
    onfailure = {"onfailure" + text.partition(":")[2].strip(): "on-failure"}  # Docker's on-failure:3
    return one_of(text, "no", "on-failure", "always", "unless-stopped", also=also | onfailure)


@example_from(lambda text: [re.sub(r"\s+", "", text.lower()).removesuffix("b").removesuffix("i")])
def log_size(text: str) -> str:
    """max-size of Docker's json-file log driver."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}[kmg]", text):
        raise Invalid("a size with its unit, such as 500k, 10m or 1g")
    return text


@example_from()
def log_files(text: str) -> int:
    """max-file of Docker's json-file log driver."""
    return integer(text, 1, 100)


def branding_dir(text: str) -> str:
    """A path; what lies there is checked by `branding`."""
    if CONTROL.search(text):
        raise Invalid("the path of a directory, from the project's directory on")
    return text


def log_level(text: str) -> str:
    """Prosody's lowest level that is logged."""
    also = {
        "warning": "warn",
        "err": "error",
        "critical": "error",
        "information": "info",
        "trace": "debug",
        "verbose": "debug",
    }
    return one_of(text, "debug", "info", "warn", "error", also=also)


def _language_meant(text: str) -> list[str]:
    """`de_DE` and `German`-like spellings of a code: the code itself, or without its country."""
    plain = unquoted(text).replace("_", "-").lower()
    by_lower = {code.lower(): code for code in languages.CODES}
    return [by_lower[one] for one in (plain, plain.partition("-")[0]) if one in by_lower]


@example_from(_language_meant)
def language(text: str) -> str:
    """A language that the front end has texts in."""
    if text not in languages.CODES:
        raise Invalid("a language of the front end, by its code, such as de, en or pt-BR")
    return text


def memory(least: int) -> Callable[[str], int]:
    """The check of a container's memory, in MiB, for a service that needs at least so much."""

    @example_from(lambda text: [re.sub(r"\s+", "", text.lower()).removesuffix("b").removesuffix("i")])
    def check(text: str) -> int:
        size = re.fullmatch(r"([1-9][0-9]{0,6})([mg])", text)
        mebibytes = int(size[1]) * (1024 if size[2] == "g" else 1) if size else 0
        if not least <= mebibytes <= _MOST_MEMORY:
            raise Invalid(f"a size with its unit, such as 2g or 1536m, from {least}m to {_MOST_MEMORY // 1024}g")
        return mebibytes

    return check
