"""Labels are joined to their predictions, whatever the order and however often the worker is killed."""

import json
import random

import numpy as np
import orjson
import pytest

from moorage_runtime.config import (
    ConceptDriftConfig,
    DetectorConfig,
    DriftState,
    LabelsConfig,
    StreamConfig,
    TensorConfig,
)
from moorage_runtime.drift.concept.labels import Waiting
from moorage_runtime.drift.concept.watch import RESULT_EVERY, Concept
from moorage_runtime.drift.types import Block
from moorage_runtime.streams.base import Chunk

SECOND = 1_000_000
ALL = ("DDM", "EDDM", "PageHinkley", "ADWIN")


def config(*detectors, **labels):
    return ConceptDriftConfig(
        labels=LabelsConfig(stream=StreamConfig(uri="labels"), **labels),
        detectors=[DetectorConfig(name=each.lower(), type=each) for each in detectors or ("DDM",)],
    )


def block(ids, predictions, *, at=0, partition="0"):
    rows = len(ids)
    return Block(
        partition=partition,
        first_offset=at,
        next_offset=at + rows,
        offsets=np.arange(at, at + rows),
        times=(np.arange(at, at + rows) * SECOND).astype(np.int64),
        request_ids=list(ids),
        counts=np.ones(rows, dtype=np.int64),
        first_rows=np.zeros(rows, dtype=np.int64),
        latencies=np.zeros(rows, dtype=np.int64),
        features={},
        predictions={"predict": np.asarray(predictions)},
    )


def labels(entries, *, at=0, partition="0", seconds=None):
    """(key, label) pairs as messages; `seconds` are the messages' times."""
    return Chunk(
        partition=partition,
        values=[orjson.dumps({"id": key, "label": label}) for key, label in entries],
        offsets=list(range(at, at + len(entries))),
        next_offset=at + len(entries),
        timestamps=None if seconds is None else [second * 1000 for second in seconds],
    )


def ids(count, start=0):
    return [f"r{number}" for number in range(start, start + count)]


def test_wrong_answers_are_found_and_stay_detected():
    concept = Concept(config("ADWIN"))
    rng = np.random.default_rng(1)
    wrong = np.r_[rng.random(1000) < 0.05, rng.random(500) < 0.6]
    concept.predictions(block(ids(1500), np.ones(1500)))
    concept.labels(labels([(key, 1 - int(w)) for key, w in zip(ids(1500), wrong, strict=True)]))
    results = concept.advance({"0": 1500 * SECOND}, caught_up=True)
    before = [r for r in results if r.labelled <= 1000]
    assert not any(r.changes for r in before)
    assert results[-1].states["adwin"] is DriftState.DETECTED
    assert sum(r.error_rate * RESULT_EVERY for r in before) == pytest.approx(wrong[:1000].sum())


def test_a_change_is_forgotten_once_the_errors_are_back_at_their_old_level():
    concept = Concept(config("ADWIN"))
    rng = np.random.default_rng(2)
    shares = [*[0.05] * 1000, *[0.6] * 3000, *[0.05] * 3000]
    wrong = rng.random(len(shares)) < shares
    concept.predictions(block(ids(len(shares)), np.ones(len(shares))))
    concept.labels(labels([(key, 1 - int(w)) for key, w in zip(ids(len(shares)), wrong, strict=True)]))
    results = concept.advance({}, caught_up=True)
    detected = [r.labelled for r in results if r.states["adwin"] is DriftState.DETECTED]
    assert 1000 < detected[0] < 1200
    assert {r.labelled for r in results if detected[0] <= r.labelled <= 4000} <= set(detected)
    assert 4500 <= detected[-1] < 6000


def test_the_order_in_which_events_and_labels_are_read_changes_nothing():
    rng = random.Random(3)
    wrong = [rng.random() < (0.05 if at < 600 else 0.7) for at in range(1200)]
    events = [block(ids(10, at), [1.0] * 10, at=at, partition=str(at // 10 % 2)) for at in range(0, 1200, 10)]
    answers = [
        labels(
            [(f"r{n}", 1 - wrong[n]) for n in range(at, at + 20)],
            at=at,
            seconds=[n + 5 for n in range(at, at + 20)],
        )
        for at in range(0, 1200, 20)
    ]

    def read(order):
        concept, results = Concept(config(*ALL)), []
        streams = {"0": events[0::2], "1": events[1::2], "labels": answers}
        positions = dict.fromkeys(streams, 0)
        newest = {"0": 0, "1": 0}
        while any(positions[name] < len(streams[name]) for name in streams):
            name = order.choice([n for n in streams if positions[n] < len(streams[n])])
            item = streams[name][positions[name]]
            positions[name] += 1
            if name == "labels":
                concept.labels(item)
            else:
                concept.predictions(item)
                newest[name] = int(item.times[-1])
            done = all(positions[n] == len(streams[n]) for n in newest)
            results += concept.advance(newest, caught_up=done)
        return results

    first = read(random.Random(0))
    assert 1200 - RESULT_EVERY < first[-1].labelled <= 1200
    assert any(r.changes for r in first)
    for seed in range(1, 6):
        assert read(random.Random(seed)) == first


def test_a_restart_at_any_point_changes_nothing():
    rng = random.Random(4)
    wrong = [rng.random() < (0.05 if at < 300 else 0.7) for at in range(600)]

    def run(cuts):
        concept, results, store = Concept(config(*ALL)), [], {}
        for at in range(0, 600, 10):
            concept.predictions(block(ids(10, at), [1.0] * 10, at=at))
            begin = max(0, at - 40)
            concept.labels(
                labels([(f"r{n}", 1 - wrong[n]) for n in range(begin, begin + 10) if at >= 40], at=begin)
            )
            results += concept.advance({"0": at * SECOND}, caught_up=at % 20 == 0)
            if at in cuts:
                state, blobs = concept.snapshot()
                store |= blobs
                state = json.loads(json.dumps(state))
                assert set(state["blobs"]) <= set(store)
                concept = Concept(config(*ALL))
                concept.restore(state, store.__getitem__)
        return results, dict(concept.skipped)

    whole = run(())
    assert any(r.changes for r in whole[0])
    for seed in range(8):
        assert run(random.Random(seed).sample(range(0, 600, 10), 7)) == whole
    assert run(range(0, 600, 10)) == whole


def test_what_cannot_be_joined_is_counted_by_reason():
    concept = Concept(config(ttl_seconds=100))
    concept.predictions(block(["a", "b", "c"], [1.0, 1.0, 1.0]))
    chunk = labels([("a", 1), ("nobody", 1), ("b", 1)], seconds=[1, 2, 500])
    chunk.values += [b"no json", b'{"id": "c"}', b'["c"]', b"7"]
    chunk.offsets += [3, 4, 5, 6]
    chunk.timestamps += [3, 4, 5, 6]
    concept.labels(chunk)
    concept.advance({"0": 10 * SECOND}, caught_up=True)
    assert dict(concept.skipped) == {"label_malformed": 4, "label_unmatched": 1, "label_late": 1}
    concept.advance({"0": 1000 * SECOND}, caught_up=True)
    assert concept.skipped["prediction_unlabelled"] == 1
    assert concept.waiting == 0


def test_a_label_of_a_request_with_one_row_needs_no_row():
    concept = Concept(config())
    concept.predictions(block(ids(RESULT_EVERY), ["cat"] * RESULT_EVERY))
    concept.labels(labels([(key, "cat") for key in ids(RESULT_EVERY)]))
    (result,) = concept.advance({}, caught_up=True)
    assert (result.labelled, result.error_rate) == (RESULT_EVERY, 0.0)


def test_rows_of_a_request_are_named_by_their_number():
    concept = Concept(config())
    many = block(["r"], [1.0])
    many.counts, many.times = np.array([100]), np.zeros(100, dtype=np.int64)
    many.first_rows, many.predictions = np.array([100]), {"predict": np.ones(100)}
    concept.predictions(many)
    concept.labels(labels([(f"r/{row}", "1") for row in range(100, 200)]))
    results = concept.advance({}, caught_up=True)
    assert [r.error_rate for r in results] == [0.0, 0.0]


def test_labels_name_their_fields_as_configured_and_by_the_messages_key():
    own = Concept(config(key_field="request", label_field="truth"))
    own.predictions(block(["a"], [1.0]))
    chunk = labels([])
    chunk.values, chunk.offsets = [b'{"request": "a", "truth": 1}'], [0]
    own.labels(chunk)
    own.advance({}, caught_up=True)
    keyed = Concept(config())
    keyed.predictions(block(["a"], [1.0]))
    chunk.values, chunk.keys = [b'{"label": 1}'], [b"a/0"]
    keyed.labels(chunk)
    keyed.advance({}, caught_up=True)
    assert not own.skipped
    assert not keyed.skipped
    assert own.waiting == keyed.waiting == 0


def test_a_regressions_error_is_its_absolute_difference():
    concept = Concept(config("PageHinkley"), outputs=[TensorConfig(name="price", type="float64")])
    concept.predictions(block(ids(RESULT_EVERY), [10.0] * RESULT_EVERY))
    concept.labels(labels([(key, 12.5) for key in ids(RESULT_EVERY)]))
    (result,) = concept.advance({}, caught_up=True)
    assert result.error_rate == 2.5


def test_too_many_waiting_predictions_give_up_the_oldest():
    waiting = Waiting(most=100)
    given_up = waiting.add(ids(150), range(150), [1.0] * 150)
    assert (given_up, len(waiting)) == (50, 100)
    assert waiting.take("r49") is None
    assert waiting.take("r50") == (50, 1.0)


def test_a_long_life_needs_few_blobs_and_writes_each_entry_few_times():
    waiting, written, names = Waiting(), 0, set()
    for at in range(400):
        waiting.add(ids(50, at * 50), range(50), [1.0] * 50)
        for key in ids(45, at * 50):
            waiting.take(key)
        state, blobs = waiting.snapshot()
        names = {segment["blob"] for segment in state["segments"]}
        written += sum(map(len, blobs.values()))
    assert len(waiting) == 2000
    assert len(names) <= 12
    fresh = Waiting()
    fresh.add(ids(2000), range(2000), [1.0] * 2000)
    once = len(next(iter(fresh.snapshot()[1].values())))
    assert written < 30 * once
