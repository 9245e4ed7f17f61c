"""A long stream of captured events for a drift worker, with everything in it that streams have, and its labels.

All of it is a function of a message's number, so that a test knows what has to come out.
"""

import json

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer

from support.drift_worker import MODEL, START

NUMBERS = ("f0", "f1", "f2", "f3", "f4", "f5")
FEATURES = (*NUMBERS, "colour")
COLOURS = np.array(["red", "green", "blue"], object)
PARTITIONS = 3
ROWS = 100
"""Of a message."""
STEP = 100_000
"""µs of event time between messages."""
LABELLED = 10
"""Rows of a message that get a label."""
BIT = 10
"""Messages whose labels are one message."""
LATE = 60_000_000
FAR = 7_258_118_400_000_000
"""µs since the epoch: the year 2200."""


def rows(seed, count, shift=0.0):
    """Columns of `count` rows; f2, and with it the prediction, moves by `shift`; a tenth of f3 is missing."""
    random = np.random.default_rng(seed)
    found = np.round(random.normal(size=(count, len(NUMBERS))), 4)
    found[:, 2] += shift
    columns = {name: found[:, at].tolist() for at, name in enumerate(NUMBERS)}
    gone = random.random(count) < 0.1
    columns["f3"] = [None if lost else value for lost, value in zip(gone, columns["f3"], strict=True)]
    columns["colour"] = COLOURS[random.integers(0, 3, count)].tolist()
    return columns, (found[:, 2] > 0).astype(int).tolist()


def write_reference(path, count=5000):
    columns, predicted = rows(0, count)
    pq.write_table(pa.table({**columns, "predict": predicted}), path)
    return path


def event(ids, times, columns, predicted, **changes):
    """A native event of one-row requests."""
    count = len(ids)
    described = [
        {
            "name": name,
            "role": "feature",
            "type": "categorical" if name == "colour" else "numerical",
            "dtype": "string" if name == "colour" else "float64",
        }
        for name in columns
    ]
    described.append({"name": "predict", "role": "prediction", "type": "numerical", "dtype": "int64"})
    head = {
        "schema": "moorage.capture/v1",
        "namespace": "ml",
        "serving": "iris",
        "revision": "r1",
        "model": MODEL,
        "version": "v3",
        "digest": None,
        "framework": "sklearn",
        "class": "Pipeline",
        "host": "iris-0",
        "columns": described,
        "requests": {
            "id": ids,
            "time_us": times,
            "latency_us": [800] * count,
            "rows": [1] * count,
            "first_row": [0] * count,
            "operation": ["infer"] * count,
        },
        "features": columns,
        "predictions": {"predict": predicted},
    }
    return orjson.dumps(head | changes)


ODD = {
    7: ("malformed", b'{"schema": "moorage.capture/v1", "model": "iris", '),
    47: ("unknown_schema", b'{"schema": "moorage.capture/v2", "model": "iris"}'),
    67: ("unsupported", b'{"inputs": []}'),
    87: ("error_event", json.dumps({"model": MODEL, "op": "infer", "error": "no", "request": {}}).encode()),
}
"""Number within 200 to reason and message."""


class Script:
    """The stream of `messages` packed messages (some of them as single ones), with `late` ones for windows of time."""

    def __init__(self, messages, *, late=False):
        self.messages = messages
        self.late = late
        self.rows = messages * ROWS

    def shift(self, number):
        return 1.0 if self.messages / 3 <= number < self.messages * 2 / 3 else 0.0

    def events(self, number):
        """(value, headers) of what the stream has at a number; all of it goes to one partition, in this order."""
        at = number % 200
        time = START + number * STEP
        columns, predicted = rows([1, number], ROWS, self.shift(number))
        ids = [f"r{number}-{row}" for row in range(ROWS)]
        times = [time + row for row in range(ROWS)]
        if at in ODD:
            headers = [("ce_id", b"1")] if ODD[at][0] == "unsupported" else None
            yield ODD[at][1], headers
        if at == 27:
            yield event(ids[:9], times[:9], *_part(columns, predicted, 0, 9), model="another"), None
        if at == 107:  # a live test's rows in between
            others, said = rows([2, number], ROWS, 9.0)
            ids += [f"moorage-test-{number}-{row}" for row in range(ROWS)]
            columns = {name: columns[name] + others[name] for name in columns}
            times, predicted = times * 2, predicted + said
        if at == 127:
            columns["extra"] = columns.pop("f5")
        if at == 147:
            yield event(["future-1", "future-2"], [FAR] * 2, *_part(columns, predicted, 0, 2)), None
        if at == 167 and self.late and number > 1000:
            early = [one - LATE for one in times[:20]]
            yield event([f"late-{one}" for one in ids[:20]], early, *_part(columns, predicted, 0, 20)), None
        if number % 50 == 3:
            for row in range(ROWS):
                one = _part(columns, predicted, row, row + 1)
                yield event(ids[row : row + 1], times[row : row + 1], *one), None
        else:
            yield event(ids, times, columns, predicted), None

    def labels(self, numbers):
        """A message of labels of the first rows of some messages; more and more are wrong in the last third."""
        found = []
        for number in numbers:
            _, predicted = rows([1, number], ROWS, self.shift(number))
            wrong = 0.05 if number < self.messages * 2 / 3 else 0.4
            random = np.random.default_rng([3, number])
            found += [
                {"id": f"r{number}-{row}/0", "label": 1 - one if random.random() < wrong else one}
                for row, one in enumerate(predicted[:LABELLED])
            ]
        return orjson.dumps(found)

    def skipped(self):
        """What has to be counted, by reason."""
        times = {at: sum(number % 200 == at for number in range(self.messages)) for at in range(200)}
        found = {reason: times[at] for at, (reason, _) in ODD.items()}
        found |= {"foreign_model": times[27], "live_test": times[107] * ROWS, "future": times[147] * 2}
        found |= {"missing_feature": times[127] * ROWS, "unknown_feature": times[127] * ROWS}
        if self.late:
            found["late"] = sum(number % 200 == 167 for number in range(1001, self.messages)) * 20
        return found


def _part(columns, predicted, begin, end):
    return {name: values[begin:end] for name, values in columns.items()}, predicted[begin:end]


class Topics:
    """A topic of events and one of labels, written bit by bit."""

    def __init__(self, kafka, name, script):
        self.script = script
        self.events = kafka.create_topic(f"{name}.events", PARTITIONS)
        self.labels = kafka.create_topic(f"{name}.labels", 1)
        self.uri = f"kafka://{kafka.bootstrap}/{self.events}"
        self.labels_uri = f"kafka://{kafka.bootstrap}/{self.labels}"
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap})

    def write_bits(self, begins):
        """The bits that begin at these messages, each followed by its labels."""
        for begin in begins:
            self._write(range(begin, begin + BIT))

    def _write(self, numbers):
        for number in numbers:
            for value, headers in self.script.events(number):
                self._producer.produce(self.events, value, partition=number % PARTITIONS, headers=headers)
        assert self._producer.flush(60) == 0
        at = (START + numbers[-1] * STEP) // 1000 + 1000
        self._producer.produce(self.labels, self.script.labels(numbers), partition=0, timestamp=at)
        assert self._producer.flush(60) == 0
