"""Results as points, and points on the wire."""

import math
import struct

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from moorage_runtime.drift.sinks import influx, remote_write
from moorage_runtime.drift.sinks.points import Identity, Point, Series, count, points
from support.drift_results import concept_result, window_result

IDENTITY = Identity("ml", "watch", "iris_v1")


def by_metric(result):
    found = {}
    for series, value, timestamp in points(IDENTITY, result):
        found.setdefault(series.metric, []).append((dict(series.labels), value, timestamp))
    return found


def test_a_window_has_its_rows_states_and_a_value_per_feature_and_statistic():
    result = window_result(1, features=("a", "b"))
    found = by_metric(result)
    whose = {"namespace": "ml", "monitor": "watch", "model": "iris_v1", "partition": "0"}
    stamp = result.window.timestamp
    assert found["moorage_drift_window_rows"] == [(whose, 1000.0, stamp)]
    assert found["moorage_drift_state"] == [({**whose, "aspect": "data"}, 1.0, stamp)]
    assert found["moorage_drift_general"] == [(whose, result.general_drift, stamp)]
    assert found["moorage_drift_general_status"] == [(whose, 1.0, stamp)]
    assert [labels["feature"] for labels, _, _ in found["moorage_drift_p_value"]] == ["a", "b"]
    statistics = {
        (labels["feature"], labels["statistic"]): value
        for labels, value, _ in found["moorage_drift_statistic"]
    }
    assert statistics == {(s.name, name): v for s in result.scores for name, v in s.statistics.items()}
    assert {labels["role"] for labels, _, _ in found["moorage_drift_effect"]} == {"feature"}


def test_a_window_of_time_has_no_partition():
    assert all(
        "partition" not in dict(p.series.labels) for p in points(IDENTITY, window_result(0, partition=None))
    )


def test_a_concept_result_has_its_error_rate_and_its_detectors():
    found = by_metric(concept_result(2))
    assert found["moorage_concept_error_rate"][0][1] == 0.02
    assert [(one[0]["detector"], one[1]) for one in found["moorage_concept_detector_state"]] == [("ddm", 2.0)]
    assert [one[0]["detector"] for one in found["moorage_concept_detector_value"]] == ["ddm"]


@pytest.mark.parametrize("index", range(15))
def test_the_count_is_that_of_the_points_and_none_is_nan(index):
    for result in (window_result(index), concept_result(index)):
        said = points(IDENTITY, result)
        assert count(result) == len(said)
        assert len({point.series for point in said}) == len(said)
        assert not any(math.isnan(point.value) for point in said)


def write_request():
    """The message type of the specification, made by the protobuf library."""
    file = descriptor_pb2.FileDescriptorProto(name="remote.proto", package="prometheus", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields):
        added = file.message_type.add(name=name)
        for number, (field, kind, of, repeated) in enumerate(fields, 1):
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            added.field.add(name=field, number=number, type=kind, label=label, type_name=of)

    message("Label", ("name", kinds.TYPE_STRING, None, False), ("value", kinds.TYPE_STRING, None, False))
    message("Sample", ("value", kinds.TYPE_DOUBLE, None, False), ("timestamp", kinds.TYPE_INT64, None, False))
    message(
        "TimeSeries",
        ("labels", kinds.TYPE_MESSAGE, ".prometheus.Label", True),
        ("samples", kinds.TYPE_MESSAGE, ".prometheus.Sample", True),
    )
    message("WriteRequest", ("timeseries", kinds.TYPE_MESSAGE, ".prometheus.TimeSeries", True))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))


WRITE_REQUEST = write_request()
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
series = st.builds(
    Series,
    st.sampled_from(["moorage_a", "moorage_b"]),
    st.dictionaries(names, names, max_size=3).map(lambda labels: tuple(sorted(labels.items()))),
)


@given(
    st.dictionaries(st.tuples(series, st.integers(-(2**60), 2**60)), st.floats(allow_nan=False), max_size=8)
)
def test_remote_write_is_what_the_protobuf_library_reads(values):
    said = [Point(one, value, timestamp) for (one, timestamp), value in values.items()]
    message = WRITE_REQUEST.FromString(remote_write.encode(said))
    found = {}
    for one in message.timeseries:
        labels = [(label.name, label.value) for label in one.labels]
        assert labels == sorted(labels)
        assert [sample.timestamp for sample in one.samples] == sorted(
            sample.timestamp for sample in one.samples
        )
        for sample in one.samples:
            found[tuple(labels), sample.timestamp] = struct.pack("<d", sample.value)
    assert found == {
        (tuple(sorted((("__name__", s.metric), *s.labels))), timestamp): struct.pack("<d", value)
        for (s, timestamp), value in values.items()
    }


def test_labels_that_are_kept_encode_the_same():
    said, kept = points(IDENTITY, window_result(3)), {}
    first = remote_write.encode(said, kept)
    assert remote_write.encode(said, kept) == first == remote_write.encode(said)


def test_lines_are_escaped_and_infinite_values_left_out():
    labels = (("feature", "petal width,=cm"), ("role", "a\\b\nc"))
    said = [Point(Series("moorage_drift_effect", labels), 1e-7, 1500), Point(Series("m", ()), math.inf, 1)]
    line = b"moorage_drift_effect,feature=petal\\ width\\,\\=cm,role=a/b\\ c value=1e-07 1500\n"
    assert influx.encode(said) == line
