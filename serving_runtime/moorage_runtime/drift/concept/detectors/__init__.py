"""Concept-drift detectors on the stream of a model's errors: DDM, EDDM, Page-Hinkley and ADWIN.

A further one is a module with a `Detector`, and an entry of `DETECTORS`.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from moorage_runtime.drift.concept.detectors.adwin import ADWIN
from moorage_runtime.drift.concept.detectors.base import Detector, ParameterError, Zone
from moorage_runtime.drift.concept.detectors.ddm import DDM
from moorage_runtime.drift.concept.detectors.eddm import EDDM
from moorage_runtime.drift.concept.detectors.page_hinkley import PageHinkley

__all__ = ["DETECTORS", "Detector", "ParameterError", "Zone", "make"]

DETECTORS: dict[str, type[Detector]] = {"DDM": DDM, "EDDM": EDDM, "PageHinkley": PageHinkley, "ADWIN": ADWIN}


def make(kind: str, parameters: Mapping[str, Any]) -> Detector:
    """A detector with parameters by their names in camelCase or snake_case. Raises ParameterError."""
    made = DETECTORS[kind]
    known = {f.name: f.default for f in fields(made) if f.init}
    given = {}
    for name, value in parameters.items():
        snake = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
        if snake not in known:
            raise ParameterError(f"{kind} has no parameter {name}; it has {', '.join(known)}")
        default = known[snake]
        whole = isinstance(default, int)
        if isinstance(value, bool) or not isinstance(value, str if isinstance(default, str) else int | float):
            raise ParameterError(f"{name} of {kind} cannot be {value!r}")
        if whole and value != int(value):
            raise ParameterError(f"{name} of {kind} must be a whole number, not {value!r}")
        given[snake] = int(value) if whole else value
    return made(**given)
