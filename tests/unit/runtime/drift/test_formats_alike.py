"""The same requests written as native events and as MLRun's are judged the same, to the last bit."""

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from moorage_runtime.capture.formats import encoder
from moorage_runtime.config import DriftConfig, DriftState
from moorage_runtime.drift.monitor import Monitor
from moorage_runtime.drift.reading.decode import Decoder
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.streams import Chunk
from support.events import RECEIVED, event, source

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
WHOSE = source(features=FEATURES)
REQUESTS = 300
ROWS = 4
"""Of a request."""
STEP = 10_000_000
"""ns between requests."""


def made():
    """(inputs, outputs, arrival in ns) of each request; petal_length is shifted from the middle on."""
    random = np.random.default_rng(5)
    for number in range(REQUESTS):
        inputs = np.round(random.normal(size=(ROWS, 4)), 3)
        inputs[:, 2] += 1.5 * (number >= REQUESTS / 2)
        inputs[0, 1] = np.nan if number % 10 == 0 else inputs[0, 1]
        yield number, inputs, (inputs[:, 2] > 0).astype(int), RECEIVED // 1000 * 1000 + number * STEP


def ours(name):
    events = [
        event(WHOSE, f"r{number}", inputs, {"predict": outputs}, received=at)
        for number, inputs, outputs, at in made()
    ]
    encode = encoder(name, structured=False)
    return [one.value for begin in range(0, REQUESTS, 20) for one in encode(events[begin : begin + 20])]


BASE = {"class": "M", "worker": 0, "model": "iris_v1", "host": "h", "labels": {"framework": "sklearn"}}
V2 = BASE | {"version": "v3", "function_uri": "p/f", "labels": {}}
V18 = {name: value for name, value in BASE.items() if name != "labels"} | {
    "function_uri": "p/f",
    "endpoint_id": "u",
    "sampling_percentage": 100.0,
}


def requests(key, zone):
    """MLRun's fields of each request, as its server at the version of `key` and `zone` writes them."""
    for number, inputs, outputs, at in made():
        when = datetime.fromtimestamp(at // 1_000_000_000, UTC).replace(microsecond=at // 1000 % 1_000_000)
        yield {
            "request": {key: [[None if np.isnan(x) else x for x in row] for row in inputs.tolist()]},
            "op": "predict" if key == "instances" else "infer",
            "resp": outputs.tolist()
            if key == "instances"
            else {"id": f"r{number}", "model_name": "iris_v1", "outputs": outputs.tolist()},
            "when": when.strftime("%Y-%m-%d %H:%M:%S.%f") + zone,
            "microsec": 812,
            "metrics": {},
        }


def single(base, key, zone):
    return [json.dumps(base | fields).encode() for fields in requests(key, zone)]


def batched(base, headers, key, zone, size=7):
    found = [*requests(key, zone)]
    return [
        json.dumps(
            base
            | {
                "headers": headers,
                "values": [[one[h] for h in headers] for one in found[begin : begin + size]],
            }
        ).encode()
        for begin in range(0, REQUESTS, size)
    ]


FORMS = {
    "ours, mlrun-v1": lambda: ours("mlrun-v1"),
    "ours, mlrun-v2": lambda: ours("mlrun-v2"),
    "V1": lambda: single(BASE, "instances", ""),
    "V1, batched": lambda: batched(
        BASE | {"op": "predict"}, ["request", "resp", "when", "microsec", "metrics"], "instances", ""
    ),
    "V2": lambda: single(V2, "inputs", "+00:00"),
    "V2, batched": lambda: batched(
        V2, ["request", "op", "resp", "when", "microsec", "metrics"], "inputs", "+00:00"
    ),
    "V2 of 1.8": lambda: single(V18, "inputs", "+00:00"),
}


@pytest.fixture(scope="module")
def reference():
    random = np.random.default_rng(1)
    values = random.normal(size=(3000, 4))
    values[::40, 1] = np.nan
    return Reference.summarise(
        {name: values[:, at] for at, name in enumerate(FEATURES)},
        {"predict": (values[:, 2] > 0).astype(float)},
        categorical=lambda _: False,
        mlrun=True,
    ).to_json()


def windows(reference, messages, window, chunk=40):
    """All windows of a stream of one partition, without the offsets of its messages."""
    config = DriftConfig.model_validate(
        {
            "model": "iris_v1",
            "stream": {"uri": "unused"},
            "reference": {"uri": "unused"},
            "window": window,
            "checkpointUri": "unused",
            "predictionDrift": True,
            "mlrunCompatible": True,
        }
    )
    monitor, decoder = (
        Monitor(config, Reference.from_json(reference)),
        Decoder("iris_v1", [*FEATURES], ["predict"]),
    )
    monitor.known(["0"])
    found = []
    for begin in range(0, len(messages), chunk):
        end = min(begin + chunk, len(messages))
        block = decoder.decode(Chunk("0", messages[begin:end], [*range(begin, end)], end))
        found += monitor.block(block).results
    assert not +decoder.skipped
    assert monitor.rows == REQUESTS * ROWS
    return [
        dataclasses.replace(one, window=dataclasses.replace(one.window, first_offset=0, last_offset=0))
        for one in found
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("window", [{"rows": 90}, {"seconds": 1, "allowedLatenessSeconds": 0}])
def test_mlruns_events_give_the_same_windows_as_ours(reference, form, window):
    native = windows(reference, ours("native"), window)
    assert windows(reference, FORMS[form](), window) == native
    assert len(native) == (REQUESTS * ROWS // 90 if "rows" in window else 3)
    assert native[0].data is DriftState.NONE
    assert native[-1].data is not DriftState.NONE
