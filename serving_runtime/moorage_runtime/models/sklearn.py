"""scikit-learn estimators: joblib, pickle and skops files.

A matrix goes to the estimator as it is. An estimator that picks columns by name, or that the manifest gives
text columns, gets a pandas DataFrame with the names it was fitted with.
"""

import importlib.util
import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from moorage_runtime.config import ModelConfig
from moorage_runtime.models import estimator as fitted
from moorage_runtime.models import manifest
from moorage_runtime.models.artifact import find, suffixes_of
from moorage_runtime.models.base import (
    Array,
    InputError,
    Inputs,
    LoadError,
    Operation,
    Outputs,
    Signature,
    Tensor,
)
from moorage_runtime.models.built import Built
from moorage_runtime.models.cpu import cpu_limit
from moorage_runtime.models.signature import rows_of, synthetic


@dataclass(slots=True)
class SklearnModel:
    """An estimator; `calls` gives each output's method and, for one of several, its place in the result."""

    signature: Signature
    calls: Mapping[str, Callable[[Any], Any]]
    default_outputs: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    """Names of the DataFrame's columns; None where the estimator takes the array."""
    predictor: str = "sklearn"
    stackable: bool = True
    operations: Mapping[str, Operation] = field(default_factory=dict)

    def predict(self, inputs: Inputs, outputs: tuple[str, ...]) -> Outputs:
        """See Model."""
        given = inputs if self.signature.matrix is not None else self._table(inputs)
        try:
            return {name: self.calls[name](given) for name in outputs}
        except ValueError as error:
            raise InputError(self._fault(inputs, error)) from None

    def _table(self, inputs: Inputs) -> Any:
        assert isinstance(inputs, Mapping)
        if self.columns is not None:
            import pandas as pd

            return pd.DataFrame(dict(inputs), columns=list(self.columns))
        table = np.empty((rows_of(inputs), len(inputs)), dtype=object)
        for place, values in enumerate(inputs.values()):
            table[:, place] = values
        return table

    def _fault(self, inputs: Inputs, error: ValueError) -> str:
        """scikit-learn's message, or for NaN and infinity the row and feature that have it."""
        text = next((line for line in str(error).splitlines() if line), "invalid input")
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
            row, place = (int(i) for i in np.argwhere(~np.isfinite(inputs))[0][:2])
            names = [feature.name for feature in self.signature.features]
            what = "NaN or null" if np.isnan(inputs[row, place]) else "infinity"
            name = repr(names[place]) if place < len(names) else str(place)
            return f"row {row}, feature {name}: the model does not accept {what}"
        return text[:400]


def load(path: Path, config: ModelConfig) -> Built:
    """Load an artifact; LoadError names the file and the cause."""
    file = find(path, suffixes_of("sklearn"))
    try:
        import sklearn  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise LoadError("scikit-learn is not installed: install moorage[sklearn]") from None
    threadpool_limits(cpu_limit())
    estimator, warning = _read(file, config)
    if not hasattr(estimator, "predict"):
        raise LoadError(f"{file.name}: holds a {type(estimator).__name__}, which has no predict")
    model = build(estimator, config)
    return Built(model, class_name=type(estimator).__name__, warning=warning)


def build(estimator: Any, config: ModelConfig) -> SklearnModel:
    """A model around a fitted estimator; LoadError where the manifest contradicts it."""
    names = fitted.feature_names(estimator)
    count = fitted.feature_count(estimator)
    listed = manifest.features(config, names, count)
    own_types = fitted.column_types(estimator, names, count)
    features = listed
    if features is None:
        labels = names or tuple(f"x{i}" for i in range(count or 0))
        features = tuple(Tensor(name, own_types.get(name, np.dtype(np.float64)), ()) for name in labels)
    by_name = bool(names) and fitted.needs_names(estimator)
    common = manifest.matrix_type(features)
    signature = Signature(features, (), None if by_name or common is None else common)
    if names and signature.matrix is None and importlib.util.find_spec("pandas") is None:
        raise LoadError("the model picks columns by name, which needs pandas: install moorage[pandas]")
    if signature.matrix is not None:
        fitted.forget_names(estimator)
    own, calls = _outputs(estimator)
    outputs, default = manifest.outputs(config, own)
    calls = {output.tensor.name: calls[output.own] for output in outputs}
    model = SklearnModel(
        signature, calls, default, columns=names if names and signature.matrix is None else None
    )
    model.signature = replace(signature, outputs=tuple(_measured(model, output.tensor) for output in outputs))
    return model


def _outputs(
    estimator: Any,
) -> tuple[tuple[Tensor, ...], dict[str, Callable[[Any], Any]]]:
    """Outputs from what the estimator says of its classes, and how to compute each."""
    classes = fitted.classes(estimator)
    calls: dict[str, Callable[[Any], Any]] = {"predict": _plain(estimator.predict)}
    proba = getattr(estimator, "predict_proba", None)
    if not isinstance(classes, list):
        dtype = np.dtype(np.float64) if classes is None else fitted.plain_type(classes)
        tensors = [Tensor("predict", dtype)]
        if proba is not None:
            shape = () if classes is None else (len(classes),)
            tensors.append(Tensor("predict_proba", np.dtype(np.float64), shape))
            calls["predict_proba"] = proba
        return tuple(tensors), calls
    dtype = np.result_type(*classes) if all(c.dtype.kind in "biuf" for c in classes) else np.dtype(object)
    tensors = [Tensor("predict", dtype, (len(classes),))]
    for place, labels in enumerate(classes if proba is not None else ()):
        name = f"predict_proba_{place}"
        tensors.append(Tensor(name, np.dtype(np.float64), (len(labels),)))
        calls[name] = _nth(proba, place)
    return tuple(tensors), calls


def _nth(method: Any, place: int) -> Callable[[Any], Any]:
    return lambda given: method(given)[place]


def _plain(method: Any) -> Callable[[Any], Any]:
    """Text labels as objects, which is what the signature says of them."""

    def predict(given: Any) -> Array:
        values = np.asarray(method(given))
        return values.astype(object) if values.dtype.kind in "US" else values

    return predict


def _measured(model: SklearnModel, tensor: Tensor) -> Tensor:
    """The output's type and shape as a row of zeros gives them, where the model accepts one."""
    row = synthetic(model.signature)
    if row is None:
        return tensor
    try:
        values = model.predict(row, (tensor.name,))[tensor.name]
    except InputError:
        return tensor
    except Exception as error:  # noqa: BLE001 - an estimator of another version fails anyhow
        raise LoadError(f"{tensor.name} fails on a row of zeros: {type(error).__name__}: {error}") from None
    return Tensor(tensor.name, fitted.plain_type(values), values.shape[1:])


def _read(file: Path, config: ModelConfig) -> tuple[Any, str | None]:
    """Unpickle; the second is a warning about the version that the file was saved by."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = _skops(file, config) if file.suffix.lower() == ".skops" else _unpickle(file)
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            seen = warning.message
            return estimator, (
                f"{file.name} was saved by scikit-learn {seen.original_sklearn_version}, this is "
                f"{seen.current_sklearn_version}: predictions may differ"
            )
    return estimator, None


def _unpickle(file: Path) -> Any:
    import joblib

    try:
        return joblib.load(file)
    except ModuleNotFoundError as error:
        raise LoadError(f"{file.name}: needs the Python module {error.name!r}; give it by `code`") from None
    except AttributeError as error:
        raise LoadError(f"{file.name}: {error}; give the class by `code`") from None
    except (EOFError, pickle.UnpicklingError) as error:
        raise LoadError(f"{file.name}: is not a complete pickle: {str(error) or 'it ends early'}") from None
    except Exception as error:  # noqa: BLE001 - a pickle runs anybody's code
        raise LoadError(f"{file.name}: cannot be unpickled: {type(error).__name__}: {error}") from None


def _skops(file: Path, config: ModelConfig) -> Any:
    try:
        from skops import io
    except ImportError:
        raise LoadError(f"{file.name}: skops is not installed: install moorage[sklearn]") from None
    trusted = config.parameters.get("trusted", [])
    if not isinstance(trusted, list) or not all(isinstance(name, str) for name in trusted):
        raise LoadError("parameters.trusted must be a list of type names")
    try:
        unknown = [name for name in io.get_untrusted_types(file=file) if name not in trusted]
        estimator = None if unknown else io.load(file, trusted=trusted)
    except Exception as error:  # noqa: BLE001 - a damaged file fails anyhow
        raise LoadError(f"{file.name}: cannot be read by skops: {type(error).__name__}: {error}") from None
    if unknown:
        raise LoadError(
            f"{file.name}: holds types that are not trusted: {', '.join(unknown[:5])}; "
            "list them in parameters.trusted if they are yours"
        )
    return estimator
