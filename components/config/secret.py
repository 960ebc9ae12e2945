"""A secret that the operator gives, as a value that never shows itself. No Pulumi: `resources` makes Outputs of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

ENCRYPTED: Final = "\x00encrypted\x00"
"""Stands for a stack file's encrypted value where it is not decrypted (`python -m ops plan`). No value that
the engine hands over can pass for it: every secret's check refuses control characters."""


HIDDEN: Final = "[secret]"
"""The same within a map, and what plain text shows in a secret's place."""

ENCRYPTED_URL: Final = "ssh://encrypted.invalid"
"""The same for a URL, whose shape is checked."""


@dataclass(frozen=True)
class Secret:
    """A secret of the operator's own; None in it where the stack file's value was not decrypted."""

    _value: str | None = dataclasses.field(repr=False)

    @property
    def readable(self) -> bool:
        """False where it was not decrypted."""
        return self._value is not None

    def reveal(self) -> str:
        """The plain text; of a value that was not decrypted a placeholder, which only a plan can meet."""
        return HIDDEN if self._value is None else self._value

    def __repr__(self) -> str:
        return HIDDEN
