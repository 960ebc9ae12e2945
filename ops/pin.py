"""`python -m ops pin`: asks the registries for the digests of all images, and writes them beside the tags.

Owns the pins file (`components/stack/images.toml`) and what may change in it: a digest that cannot be had is left out or
stays as it was, and one that moved is named and taken with a yes alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from components.stack import images, services
from ops import registry
from ops.plan import Source
from ops.project import stackfile
from ops.registry import Unavailable

_HEAD: Final = """\
# The digest of each image by its name and tag, for all stacks. A stack runs an image by its digest where one stands here,
# whatever the tag has come to mean since; by its tag alone where none does (docs/supply-chain.md).
# Written by `make pin`, which asks the registries.
"""

Ask = Callable[[str], str]


@dataclass
class Pins:
    """What to write, and what to say of it."""

    digests: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    open: bool = False
    """Whether a digest is missing, or has moved and was not taken."""


def run(*, yes: bool) -> int:
    """Asks for the images of all stacks and writes the file; 1 where a digest is missing or moved. Raises OpsError."""
    logins = registry.docker_logins(Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"))
    pins = renewed(used(stackfile.ROOT), images.digests(), lambda image: registry.digest_of(image, logins), yes=yes)
    for line in pins.lines:
        print(line, file=sys.stderr if pins.open else sys.stdout)
    if pins.digests != images.digests():
        write(images.PINS, pins.digests)
    print(f"{images.PINS.name}: {len(pins.digests)} digests")
    return 1 if pins.open else 0


def show() -> int:
    """Prints every image as stacks run it, as JSON; 0."""
    known = images.digests()
    print(json.dumps([f"{one}@{known[one]}" if one in known else one for one in used(stackfile.ROOT)]))
    return 0


def used(root: Path) -> list[str]:
    """Name and tag of every image that a stack file here asks for, and of the optional services' images."""
    found = set(images.OTHERS.values())
    for stack in stackfile.stacks(root):
        specs = services.specs(Source.read(stack, root).settings())
        found |= {spec.image.partition("@")[0] for spec in specs}
    return sorted(found)


def renewed(wanted: Iterable[str], known: Mapping[str, str], ask: Ask, *, yes: bool) -> Pins:
    """The pins of `wanted`.

    Args:
        wanted: images by name and tag.
        known: the digests so far; those of images that nobody wants any more go.
        ask: gets a digest; raises Unavailable.
        yes: take the digests of tags that moved.
    """
    wanted = list(wanted)
    pins = Pins()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, image) for image in wanted]
    for image, answer in zip(wanted, answers, strict=True):
        old = known.get(image)
        try:
            new = answer.result()
        except Unavailable as error:
            pins.open = True
            pins.lines.append(f"{image}: {'stays as it was' if old else 'left out'}: {error}")
            new = old or ""
        if old and new != old and not yes:
            pins.open = True
            pins.lines.append(
                f"{image}: the tag moved from {old} to {new}; not taken: find out why, then make pin YES=1"
            )
            new = old
        elif new and new != old:
            pins.lines.append(f"{image}: {f'{old} -> ' if old else ''}{new}")
        if new:
            pins.digests[image] = new
    pins.lines += [f"{image}: no stack has it any more" for image in sorted(set(known) - set(wanted))]
    return pins


def write(path: Path, digests: Mapping[str, str]) -> None:
    """Writes the file whole, or leaves it as it is."""
    text = _HEAD + "".join(f'"{image}" = "{digest}"\n' for image, digest in sorted(digests.items()))
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
