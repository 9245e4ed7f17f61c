"""Predicting a batch in which single rows may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.features import inputs_of
from moorage_runtime.batch_predict.rows import Rows
from moorage_runtime.models.base import Array, InputError, Inputs, Model, Outputs
from moorage_runtime.models.signature import rows_of


@dataclass(frozen=True, slots=True)
class Predicted:
    """Outputs of the rows at `places` (None: of all), and why others have none."""

    outputs: Outputs
    places: Array | None
    errors: dict[int, str]


@dataclass(slots=True)
class Predictor:
    """A model over columns; remembers which features may not be NaN or infinite, once it was told."""

    model: Model
    columns: Mapping[str, str]
    _refused: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def predict(self, rows: Rows) -> Predicted:
        """Every row that the model takes. Raises BatchFault."""
        given, errors = inputs_of(rows, self.model.signature, self.columns)
        if given is None:
            return Predicted({}, np.empty(0, dtype=np.int64), errors)
        try:
            outputs = self._call(given)
        except InputError:
            return self._sift(given, _without(errors, rows.count), errors)
        return Predicted(outputs, _without(errors, rows.count) if errors else None, errors)

    def _call(self, given: Inputs) -> Outputs:
        model = self.model
        try:
            outputs = model.predict(given, model.default_outputs)
        except InputError:
            raise
        except Exception as error:
            raise BatchFault(f"the model fails: {type(error).__name__}: {error}"[:500]) from error
        count = rows_of(given)
        for name, values in outputs.items():
            if len(values) != count:
                raise BatchFault(f"the model answers {len(values)} values of {name!r} for {count} rows")
        return outputs

    def _sift(self, given: Inputs, places: Array, errors: dict[int, str]) -> Predicted:
        """Leave out rows with NaN or infinity where the model refuses them, then search for any others."""
        odd = _odd(given)
        keep = np.ones(rows_of(given), dtype=bool)
        clean = np.flatnonzero(~np.logical_or.reduce([keep & False, *odd.values()]))
        for key, mask in odd.items():
            if mask.any() and (text := self._refusal(key, mask, given, clean)):
                for row in np.flatnonzero(mask & keep):
                    errors.setdefault(int(places[row]), text)
                keep &= ~mask
        left = np.flatnonzero(keep)
        found: list[tuple[Array, Outputs]] = []
        self._search(given, left, places, found, errors)
        if not found:
            return Predicted({}, np.empty(0, dtype=np.int64), errors)
        names = found[0][1]
        joined = {name: np.concatenate([outputs[name] for _, outputs in found]) for name in names}
        return Predicted(joined, places[np.concatenate([rows for rows, _ in found])], errors)

    def _refusal(self, key: tuple[str, str], mask: Array, given: Inputs, clean: Array) -> str | None:
        """The model's word on a row that is odd in one feature alone; asked once."""
        if key not in self._refused:
            row = int(clean[0]) if len(clean) else int(np.flatnonzero(mask)[0])
            probe, culprit = _take(given, np.array([row])), int(np.flatnonzero(mask)[0])
            name = key[0]
            if isinstance(given, np.ndarray) and isinstance(probe, np.ndarray):
                probe[0, int(name)] = given[culprit, int(name)]
            elif not isinstance(given, np.ndarray) and not isinstance(probe, np.ndarray):
                probe = {**probe, name: given[name][culprit : culprit + 1]}
            try:
                self._call(probe)
                self._refused[key] = None
            except InputError as error:
                self._refused[key] = _rowless(str(error))
        return self._refused[key]

    def _search(
        self,
        given: Inputs,
        rows: Array,
        places: Array,
        found: list[tuple[Array, Outputs]],
        errors: dict[int, str],
    ) -> None:
        """Halve what is refused until single rows are left."""
        if not len(rows):
            return
        try:
            found.append((rows, self._call(_take(given, rows))))
        except InputError as error:
            if len(rows) == 1:
                errors.setdefault(int(places[rows[0]]), _rowless(str(error)))
                return
            half = len(rows) // 2
            self._search(given, rows[:half], places, found, errors)
            self._search(given, rows[half:], places, found, errors)


def _without(errors: Mapping[int, str], count: int) -> Array:
    mask = np.ones(count, dtype=bool)
    mask[list(errors)] = False
    return np.flatnonzero(mask)


def _odd(given: Inputs) -> dict[tuple[str, str], Array]:
    """Masks of the rows that are NaN or infinite in a feature, by feature (its place in a matrix) and kind."""
    if isinstance(given, np.ndarray):
        columns = {str(i): given[:, i] for i in range(given.shape[1])} if given.ndim == 2 else {}
    else:
        columns = dict(given)
    found: dict[tuple[str, str], Array] = {}
    for name, values in columns.items():
        if values.dtype.kind == "f" and values.ndim == 1:
            found |= {(name, "NaN"): np.isnan(values), (name, "infinity"): np.isinf(values)}
    return found


def _take(given: Inputs, rows: Array) -> Inputs:
    if isinstance(given, np.ndarray):
        return given[rows]
    return {name: values[rows] for name, values in given.items()}


def _rowless(text: str) -> str:
    """The message without the row's number, which is that of a request."""
    head, _, rest = text.partition(", ")
    return rest if head.startswith("row ") and rest else text
