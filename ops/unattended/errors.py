"""The one error of this package."""


class UnattendedError(Exception):
    """Why nothing was done, in words that name the fix."""
