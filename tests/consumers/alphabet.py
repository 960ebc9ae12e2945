"""Values that have every character that a key takes in first, middle and last place."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterator
from typing import Any, Final

from components.config import checks
from components.config.checks import Invalid

PASSWORD_CHARACTERS: Final = string.ascii_letters + string.digits + "._~+/=:@%,-"
PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))
BEYOND_ASCII: Final = "\x80\x85\xa0äß€\u0301\u200b\u2028\u2029\ufeff日本😀"


def takes(check: Callable[[str], Any], text: str) -> bool:
    try:
        check(text)
    except Invalid:
        return False
    return True


def in_every_place(check: Callable[[str], Any], characters: str, *, length: int) -> Iterator[str]:
    """For each character a value that begins with it, one that ends with it, and the rest in between.

    Values that `check` refuses are left out, and what it refuses in the middle too.
    """
    filler = "abcdefgh" * (length // 8 + 1)
    inner = [char for char in characters if takes(check, f"{filler[: length // 2]}{char}{filler[: length // 2]}")]
    parts = ["".join(inner[at : at + 24]) for at in range(0, len(inner), 24)]
    middle = itertools.cycle(parts or [""])
    for char in characters:
        for text in (f"{char}{next(middle)}{filler[:length]}", f"{filler[:length]}{next(middle)}{char}"):
            if takes(check, text):
                yield text


def passwords() -> list[str]:
    return list(in_every_place(checks.password, PASSWORD_CHARACTERS, length=12))


def jwt_secrets() -> list[str]:
    return list(in_every_place(checks.jwt_secret, PRINTABLE + BEYOND_ASCII, length=32))


def jwt_names() -> list[str]:
    return list(in_every_place(checks.jwt_name, PRINTABLE + BEYOND_ASCII, length=4))


def rabbit_passwords() -> list[str]:
    return list(in_every_place(checks.service_password, PRINTABLE + BEYOND_ASCII, length=4))


def rabbit_usernames() -> list[str]:
    return list(in_every_place(checks.rabbit_username, PRINTABLE + BEYOND_ASCII, length=4))
