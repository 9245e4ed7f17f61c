"""The reference is the same however the stream's partitions were read past each other."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.reference.learning import (
    FIRST_PREDICTIONS,
    FirstRows,
    Preparation,
    columns_of,
    watched,
)
from moorage_runtime.drift.reference.summary import ReferenceError as UnfitReferenceError
from moorage_runtime.drift.types import Block


def block(partition, times, begin=0, per_message=2, predictions=True):
    rows = len(times)
    offsets = begin + np.arange(rows, dtype=np.int64) // per_message
    values = np.array(times, float)
    return Block(
        partition=partition,
        first_offset=int(offsets[0]),
        next_offset=int(offsets[-1]) + 1,
        offsets=offsets,
        times=np.array(times, np.int64),
        request_ids=[""] * rows,
        counts=np.ones(rows, np.int64),
        first_rows=np.zeros(rows, np.int64),
        latencies=np.zeros(rows, np.int64),
        features={"x": values, "partition": np.array([partition] * rows, dtype=object)},
        predictions={"predict": -values} if predictions else {},
    )


def config(**changes):
    fields = {
        "model": "m",
        "stream": {"uri": "unused"},
        "reference": {"uri": "unused"},
        "window": {"rows": 100},
        "checkpointUri": "unused",
        "predictionDrift": True,
    }
    return DriftConfig.model_validate(fields | changes)


TABLE = {"x": np.arange(200.0), "predict": np.arange(200.0) % 3, "label": np.arange(200.0)}


@st.composite
def streams(draw):
    """Blocks of two partitions, in two interleavings, with a block at the end that is later than all."""
    partitions = {}
    for name in "ab":
        times = np.cumsum(draw(st.lists(st.integers(-1, 3), min_size=1, max_size=25)))
        partitions[name] = [*times.tolist(), 1000, 1001]
    orders = []
    for _ in range(2):
        blocks, at = [], dict.fromkeys(partitions, 0)
        while left := [name for name in partitions if at[name] * 2 < len(partitions[name])]:
            name = draw(st.sampled_from(left))
            messages = draw(st.integers(1, 5))
            begin = at[name]
            times = partitions[name][begin * 2 : (begin + messages) * 2]
            at[name] = begin + messages
            blocks.append(block(name, times, begin))
        orders.append(blocks)
    return orders, draw(st.integers(1, 20))


@given(streams())
@settings(max_examples=150, deadline=None)
def test_the_first_rows_do_not_depend_on_how_the_stream_was_read(drawn):
    orders, rows = drawn
    outcomes = []
    for blocks in orders:
        first = FirstRows(rows)
        for one in blocks:
            first.take(one)
            if first.complete("ab", ()):
                break
        else:
            assert first.complete("ab", "ab") or first.gathered < rows
            if first.gathered < rows:
                return
        features, predictions = first.columns()
        outcomes.append((first.cuts(), features["x"].tolist(), list(features["partition"]), predictions))
        assert len(features["x"]) >= rows
    assert outcomes[0][:3] == outcomes[1][:3]


def test_a_partition_that_brings_nothing_is_waited_for_until_it_ended():
    first = FirstRows(4)
    first.take(block("a", [1, 2, 3, 4, 5, 6]))
    assert not first.complete(["a", "b"], [])
    assert first.complete(["a", "b"], ["b"])
    assert first.cuts() == {"a": 2}


def test_a_table_with_all_columns_needs_nothing_but_the_names():
    preparation = Preparation(config(), TABLE)
    assert not preparation.complete("a", ())
    assert "first event" in preparation.awaited()
    preparation.take(block("a", [1, 2]))
    assert preparation.complete("a", ())
    reference, missing = preparation.result()
    assert [(column.name, column.role) for column in reference.columns] == [
        ("x", "feature"),
        ("predict", "prediction"),
    ]
    assert missing == ("partition",)
    assert preparation.cuts() == {}


def test_declared_names_need_no_event():
    declared = config(
        features=[{"name": "x", "type": "float64"}], outputs=[{"name": "predict", "type": "int64"}]
    )
    assert Preparation(declared, TABLE).complete((), ())


def test_predictions_are_learned_where_the_table_has_none_of_them():
    preparation = Preparation(config(), {"x": TABLE["x"]})
    for begin in range(0, FIRST_PREDICTIONS, 100):
        assert not preparation.complete("a", ())
        preparation.take(block("a", range(begin, begin + 100), begin // 2))
    assert preparation.complete("a", ())
    reference, _ = preparation.result()
    assert [(column.name, int(column.counts.sum())) for column in reference.columns] == [
        ("x", 200),
        ("predict", FIRST_PREDICTIONS),
    ]
    assert preparation.cuts() == {}, "the rows are judged all the same"


def test_first_rows_are_the_reference_and_are_not_judged():
    preparation = Preparation(config(reference={"firstRows": 150}), None)
    preparation.take(block("a", range(200)))
    assert preparation.complete("a", ())
    reference, missing = preparation.result()
    assert (reference.rows, missing) == (150, ())
    assert preparation.cuts() == {"a": 75}


def test_a_reference_without_the_watched_features_names_both():
    preparation = Preparation(config(), {"label": TABLE["label"], "predict": TABLE["predict"]})
    preparation.take(block("a", [1]))
    with pytest.raises(UnfitReferenceError, match=r"none of the features x, partition; .* label, predict"):
        preparation.result()
    preparation = Preparation(config(watched={"include": ["nothing*"]}), TABLE)
    preparation.take(block("a", [1]))
    with pytest.raises(UnfitReferenceError, match="no pattern takes in"):
        preparation.result()


def test_only_predictions_may_be_watched():
    preparation = Preparation(config(dataDrift=False), TABLE)
    preparation.take(block("a", [1]))
    (column,) = preparation.result()[0].columns
    assert (column.name, column.role) == ("predict", "prediction")


def test_patterns_take_in_and_leave_out():
    patterns = config(watched={"include": ["a*", "b"], "exclude": ["*_id"]}).watched
    assert [watched(name, patterns) for name in ("a1", "b", "a_id", "c")] == [True, True, False, False]


def test_a_table_s_columns_are_numbers_or_text():
    columns = columns_of(
        pa.table(
            {
                "whole": pa.array([1, None]),
                "yes": pa.array([True, None]),
                "text": pa.array(["a", None]),
                "few": pa.array(["a", "b"]).dictionary_encode(),
                "price": pa.array([1, 2]).cast(pa.decimal128(21, 2)),
                "nested": pa.array([[1], [2]]),
            }
        )
    )
    assert columns["whole"].dtype == np.float64
    assert np.isnan(columns["whole"][1])
    assert columns["yes"].tolist() == ["true", None]
    assert columns["text"].tolist() == ["a", None]
    assert columns["few"].tolist() == ["a", "b"]
    assert columns["price"].tolist() == [1.0, 2.0]
    assert "nested" not in columns
