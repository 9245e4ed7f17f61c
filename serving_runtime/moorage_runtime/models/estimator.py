"""What a fitted scikit-learn estimator says about its columns and classes."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from moorage_runtime.models.base import Array
from moorage_runtime.models.types import plain

_NAMES = "feature_names_in_"


def feature_names(estimator: Any) -> tuple[str, ...] | None:
    """The columns' names at fitting; None where it was fitted without."""
    names = getattr(estimator, _NAMES, None)
    return None if names is None else tuple(str(name) for name in names)


def feature_count(estimator: Any) -> int | None:
    """Number of columns at fitting; None for estimators that do not say (text pipelines)."""
    count = getattr(estimator, "n_features_in_", None)
    return None if count is None else int(count)


def classes(estimator: Any) -> Array | list[Array] | None:
    """Labels of a classifier, a list of them for several outputs, None for others."""
    found = getattr(estimator, "classes_", None)
    if isinstance(found, list):
        return [np.asarray(each) for each in found]
    return None if found is None else np.asarray(found)


def plain_type(values: Array) -> np.dtype[Any]:
    """The signature's type for an array."""
    return plain(np.asarray(values).dtype)


def column_types(
    estimator: Any, names: tuple[str, ...] | None, count: int | None
) -> dict[str, np.dtype[Any]]:
    """Types that encoders learnt: text where a column's categories are text. Names not in it are unknown."""
    labels = names or tuple(f"x{i}" for i in range(count or 0))
    types: dict[str, np.dtype[Any]] = {}
    for part in _parts(estimator):
        for _, transformer, columns in getattr(part, "transformers_", ()):
            chosen = _chosen(columns, labels)
            for inner in _parts(transformer):
                for name, known in zip(chosen, getattr(inner, "categories_", ()), strict=False):
                    types.setdefault(name, plain_type(known))
    encoder = _first_step(estimator)
    if not hasattr(encoder, "transformers_"):
        for name, known in zip(labels, getattr(encoder, "categories_", ()), strict=False):
            types.setdefault(name, plain_type(known))
    return types


def needs_names(estimator: Any) -> bool:
    """Whether some part picks columns by name or hands on DataFrames, so that an array would not do."""
    return any(
        hasattr(part, "transformers_") or getattr(part, "_sklearn_output_config", None)
        for part in _parts(estimator)
    )


def forget_names(estimator: Any) -> None:
    """Keep an estimator that was fitted with names from warning, at each call, that an array has none.

    Dropping the names from scikit-learn's own classes costs nothing per call; for others, which may use them,
    the warning is filtered.
    """
    for part in _parts(estimator):
        if _NAMES not in vars(part):
            continue
        if type(part).__module__.startswith("sklearn."):
            delattr(part, _NAMES)
        else:
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)


def _first_step(estimator: Any) -> Any:
    steps = getattr(estimator, "steps", None)
    return _first_step(steps[0][1]) if steps else estimator


def _chosen(columns: Any, labels: tuple[str, ...]) -> list[str]:
    """The columns of one transformer by name: names, positions, a mask or a slice."""
    if isinstance(columns, slice):
        return list(labels[columns])
    listed = [columns] if isinstance(columns, str | int) else list(columns)
    if listed and all(isinstance(each, bool | np.bool_) for each in listed):
        return [name for name, chosen in zip(labels, listed, strict=False) if chosen]
    return [each if isinstance(each, str) else labels[int(each)] for each in listed]


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all estimators within it."""
    from sklearn.base import BaseEstimator

    waiting, seen = [estimator], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BaseEstimator):
            yield value
            waiting.extend(vars(value).values())
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            waiting.extend(value.flat)
