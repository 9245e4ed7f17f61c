"""Labels and predictions brought to one representation, and what task they belong to.

A data set may hold 1, 1.0, True or "1" where the model answers 1: they are the same class.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOOLEANS = {"true": "1", "false": "0"}


class Task(StrEnum):
    """What kind of answer the model gives."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


def task_of(labels: Sequence[Any], predictions: Sequence[Any], *, scores: bool) -> Task:
    """Classification where the model offers class scores, or where both sides are names, booleans or whole numbers.

    Whole numbers written as floats count as whole only if the labels have at most 20 distinct values: a measured
    quantity that happens to be whole has more.
    """
    if scores:
        return Task.CLASSIFICATION
    both = [*labels, *predictions]
    if any(isinstance(value, (str, bool)) for value in both):
        return Task.CLASSIFICATION
    if all(isinstance(value, int) for value in both):
        return Task.CLASSIFICATION
    whole = all(float(value).is_integer() for value in both)
    return Task.CLASSIFICATION if whole and len(set(labels)) <= 20 else Task.REGRESSION


def class_names(values: Sequence[Any], *, numeric: bool) -> NDArray[np.str_]:
    """Each value as the name of its class. `numeric`: the other side has numbers or booleans, so that "1.0", "1",
    1, 1.0 and True all are "1".
    """
    return np.array([_name(value, numeric=numeric) for value in values], dtype=np.str_)


def is_numeric(values: Sequence[Any]) -> bool:
    """Whether there is any value and none is a string."""
    return bool(values) and not any(isinstance(value, str) for value in values)


def _name(value: Any, *, numeric: bool) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str) and numeric:
        if value.lower() in BOOLEANS:
            return BOOLEANS[value.lower()]
        try:
            return _name(float(value), numeric=False)
        except ValueError:
            return value
    return str(value)
