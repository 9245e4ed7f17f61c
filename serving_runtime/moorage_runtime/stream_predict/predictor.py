"""From a polled batch to its output records: parse, find each record's model, predict, encode, capture."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moorage_runtime.capture import Capture, Event, Source
from moorage_runtime.config import ModelConfig
from moorage_runtime.models import Loaded
from moorage_runtime.models.base import Inputs
from moorage_runtime.stream_predict.decode import model_named, parse
from moorage_runtime.stream_predict.encode import Encoder, identities
from moorage_runtime.stream_predict.metrics import Metrics
from moorage_runtime.stream_predict.predict import Answer, predict
from moorage_runtime.stream_predict.records import Batch, Failure, Headers, Predicted

NAMES = ("moorage-model", "mlserver-model")
"""Headers that say which model a record is for; the first of these two that is there counts."""
OPERATION = "stream"
log = logging.getLogger(__name__)


class Served:
    """A loaded model of this worker."""

    def __init__(self, config: ModelConfig, loaded: Loaded, source: Source) -> None:
        self.name = config.name
        self.model = loaded.model
        self.source = source
        self.features = frozenset(feature.name for feature in loaded.model.signature.features)
        self.encoder = Encoder(config.name, config.version)


class Predictor:
    """Predicts batches; never raises for what a record or a model does."""

    def __init__(self, models: Sequence[Served], metrics: Metrics, capture: Capture | None) -> None:
        self._models = {each.name: each for each in models}
        self._metrics = metrics
        self._capture = capture

    def predict(self, batch: Batch) -> Predicted:
        """The output record of every record, or why there is none."""
        received = time.time_ns()
        parsed = parse(batch.values)
        result = Predicted(batch, [b""] * len(batch), [()] * len(batch))
        names = identities(batch)
        for served, indices in self._by_model(batch, parsed, result.failures):
            values = parsed if len(indices) == len(parsed) else [parsed[i] for i in indices]
            began = time.perf_counter()
            answers, failures = predict(values, indices, served.model, served.name, served.features)
            self._metrics.predicted(served.name, len(indices), time.perf_counter() - began)
            result.failures |= failures
            for answer in answers:
                self._finish(served, answer, result, names, received)
        if self._capture is not None:
            self._capture.flush_tick()
        self._metrics.consumed(len(batch))
        return result

    def _by_model(
        self, batch: Batch, parsed: Sequence[Any], failures: dict[int, Failure]
    ) -> list[tuple[Served, Sequence[int]]]:
        """Each model with the indices of its records; records without a model become failures."""
        if len(self._models) == 1 and not any(batch.headers):
            (only,) = self._models.values()
            if not any(type(value) is dict and model_named(value, only.features) for value in parsed):
                return [(only, range(len(parsed)))]
        chosen: dict[str, list[int]] = {}
        for index, value in enumerate(parsed):
            name = self._named(batch.headers[index], value)
            if name in self._models:
                chosen.setdefault(name, []).append(index)
            elif isinstance(value, Failure):
                failures[index] = value
            else:
                failures[index] = Failure("UnknownModel", self._unknown(name))
        return [(self._models[name], indices) for name, indices in chosen.items()]

    def _named(self, headers: Headers | None, value: Any) -> str | None:
        known = dict(headers) if headers else {}
        for header in NAMES:
            content = known.get(header)
            if content:
                return content.decode("utf-8", "replace")
        for served in self._models.values():
            if name := model_named(value, served.features):
                return name
        return next(iter(self._models)) if len(self._models) == 1 else None

    def _unknown(self, name: str | None) -> str:
        known = ", ".join(self._models)
        if name is None:
            return f"the record names no model; there are {known}: send the header {NAMES[0]}"
        return f"there is no model {name[:63]!r} here; there is {known}"

    def _finish(
        self, served: Served, answer: Answer, result: Predicted, names: list[str], received: int
    ) -> None:
        """Put the encoded records in their places."""
        batch = result.batch
        for place, request in enumerate(answer.requests or ()):
            if request.ident is not None:
                names[answer.indices[place]] = request.ident
        try:
            values = served.encoder.values(answer, batch, names)
        except (TypeError, ValueError) as error:
            text = f"the answer of model {served.name} is no JSON: {error}"
            result.failures |= dict.fromkeys(answer.indices, Failure("ModelFailed", text))
            return
        headers = served.encoder.headers
        if len(answer.indices) == len(batch):
            result.values = list(values)
            result.headers = [headers(given) for given in batch.headers]
        else:
            for index, value in zip(answer.indices, values, strict=True):
                result.values[index] = value
                result.headers[index] = headers(batch.headers[index])
        if self._capture is not None:
            self._record(self._capture, served, answer, names, received)

    def _record(
        self, capture: Capture, served: Served, answer: Answer, names: list[str], received: int
    ) -> None:
        latency = time.time_ns() - received
        single = len(answer.indices) == 1
        for place, index in enumerate(answer.indices):
            rows = slice(answer.bounds[place], answer.bounds[place + 1])
            outputs = answer.outputs
            if not single:
                outputs = {name: array[rows] for name, array in outputs.items()}
            inputs = _part(answer.inputs, rows)
            event = Event(served.source, names[index], OPERATION, inputs, outputs, received, latency)
            capture.record(event)


def _part(inputs: Inputs, rows: slice) -> Inputs:
    if isinstance(inputs, np.ndarray):
        return inputs[rows]
    return _columns(inputs, rows)


def _columns(inputs: Mapping[str, Any], rows: slice) -> Inputs:
    return {name: column[rows] for name, column in inputs.items()}
