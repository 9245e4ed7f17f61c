"""What a concept-drift detector is: it takes errors one after the other and says after which one they have changed.

All state is numbers, so that it goes into a checkpoint and comes back exactly.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Self


class Zone(IntEnum):
    """What is known after an error."""

    STABLE = 0
    WARNING = 1
    CHANGE = 2


class ParameterError(ValueError):
    """A parameter that the detector does not have, or a value that it cannot take; the message names it."""


@dataclass(slots=True)
class Detector(ABC):
    """Takes errors: 0 or 1 for classes, any number for regressions where the detector allows it.

    After a change it forgets everything with the next error, so that it learns the new concept.
    """

    zone: Zone = field(default=Zone.STABLE, init=False)

    @abstractmethod
    def add(self, error: float) -> Zone:
        """Take one error; the zone after it."""

    @property
    @abstractmethod
    def value(self) -> float:
        """What it watches, for a graph."""

    def update(self, errors: Iterable[float]) -> list[Zone]:
        """Take several; the zone after each."""
        return [self.add(error) for error in errors]

    def state(self) -> dict[str, Any]:
        """Everything that it knows, as JSON."""
        return asdict(self)

    def restore(self, state: dict[str, Any]) -> Self:
        """Go on from a state of the same parameters."""
        for name, value in state.items():
            setattr(self, name, Zone(value) if name == "zone" else value)
        return self


def positive(name: str, value: float) -> None:
    """ParameterError unless value > 0 and finite."""
    if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise ParameterError(f"{name} must be a number above 0, not {value!r}")
