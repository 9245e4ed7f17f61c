"""How a plan says that it cannot be made: the reason and message that the status will carry."""

from moorage_api.conditions import Reason


class Refused(Exception):  # noqa: N818 - an answer, not an error of the program
    """Nothing may be touched until a person acts (or, for a missing reference, until it appears)."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def invalid(path: str, message: str) -> Refused:
    """InvalidSpec of a field."""
    return Refused(Reason.INVALID_SPEC, f"{path}: {message}")
