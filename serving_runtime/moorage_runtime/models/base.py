"""What a loaded model is to the rest of the runtime: a signature and one call.

Inputs are either one matrix (all features of one type: the common, fast case) or named columns (mixed types).
The signature says which of the two a model takes; `arrange` of `models.signature` converts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = Mapping[str, Array]
"""Column name to array of shape (rows, …)."""
Inputs = Array | Columns
"""A matrix of shape (rows, features …), or named columns."""
Outputs = dict[str, Array]
"""Output name to array of shape (rows, …), in the order asked for."""
Operation = Callable[[Mapping[str, Any]], Any]
"""Takes a request's body, gives what goes back to the caller as JSON."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named column: `dtype` is numpy's (object for strings), `shape` that of one row's value."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """Names, types and shapes of a model.

    `matrix` is the type of the matrix that the model takes, or None where it takes named columns.
    `features` may be empty where neither artifact nor manifest says anything: then any matrix is passed on, and
    without `matrix` the rows themselves, as an object array of shape (rows,).
    The first of `outputs` is the prediction: `predict`, or as the manifest names it; then `predict` is among the
    further outputs, the same under its usual name.
    """

    features: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    matrix: np.dtype[Any] | None = field(default_factory=lambda: np.dtype(np.float64))


class Model(Protocol):
    """A loaded model. `predict` may be called from one thread at a time.

    `stackable`: rows of several requests may be joined into one call (false for user code that sees the
    request itself). `default_outputs`: those computed where a request names none. `operations`: what the model
    answers beside predictions, by the name in the URL (explain, and NAME of an op_NAME method).
    """

    signature: Signature
    predictor: str
    stackable: bool
    default_outputs: tuple[str, ...]
    operations: Mapping[str, Operation]

    def predict(self, inputs: Inputs, outputs: tuple[str, ...]) -> Outputs:
        """Predict every row; `outputs` are names of the signature. Raises InputError for the caller's faults."""


class InputError(ValueError):
    """The caller's input cannot be predicted; the message names the feature, row or shape at fault."""


class LoadError(Exception):
    """A model cannot be loaded; `reason` is ModelLoadFailed or DigestMismatch, the message is for a person.

    `transient`: the artifact could not be had at all, so that another try may succeed.
    """

    def __init__(self, message: str, reason: str = "ModelLoadFailed", *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = transient
