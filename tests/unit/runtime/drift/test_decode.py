"""Captured messages become the same rows whichever way they are decoded, and nothing in a stream stops that."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.capture.decode import decode
from moorage_runtime.capture.formats import encoder
from moorage_runtime.drift.reading.decode import Decoder
from moorage_runtime.streams import Chunk
from support.events import RECEIVED, event, source

NAMES = ("a", "b", "c")
TIME = RECEIVED // 1000
ABC = source(features=NAMES)


def chunk(values, headers=None):
    offsets = [10 + 2 * at for at in range(len(values))]
    return Chunk("7", list(values), offsets, 10 + 2 * len(values), headers=headers)


def decoded(values, *, careful=False, features=NAMES, outputs=("predict",), headers=None):
    decoder = Decoder("iris_v1", list(features), list(outputs), careful=careful)
    return decoder.decode(chunk(values, headers)), decoder.skipped


def as_plain(values):
    """A column as a list, in which NaN equals NaN."""
    return ["nan" if isinstance(one, float) and math.isnan(one) else one for one in values.tolist()]


def plain(block):
    if block is None:
        return None
    return {
        "where": (block.partition, block.first_offset, block.next_offset),
        "offsets": block.offsets.tolist(),
        "times": block.times.tolist(),
        "ids": block.request_ids,
        "counts": block.counts.tolist(),
        "first_rows": block.first_rows.tolist(),
        "latencies": block.latencies.tolist(),
        "versions": block.versions,
        "features": {name: as_plain(column) for name, column in block.features.items()},
        "predictions": {name: as_plain(column) for name, column in block.predictions.items()},
    }


def native(*events):
    return [message.value for message in encoder("native", structured=False)(events)]


def abc(identity="r1", rows=((1.5, 2.0, 3.0),), answers=(1,), whose=None, **changes):
    return event(
        whose or ABC,
        identity,
        np.array(rows, dtype=float),
        {"predict": np.array(answers)},
        **changes,
    )


@pytest.mark.parametrize("careful", [False, True])
def test_a_native_message_of_several_requests(careful):
    (value,) = native(
        abc("r1"), abc("r2", [[4, math.nan, 6], [math.inf, 8, -math.inf]], [0, 2], received=RECEIVED + 1000)
    )
    block, skipped = decoded([value], careful=careful)
    assert plain(block) == {
        "where": ("7", 10, 12),
        "offsets": [10, 10, 10],
        "times": [TIME, TIME + 1, TIME + 1],
        "ids": ["r1", "r2"],
        "counts": [1, 2],
        "first_rows": [0, 0],
        "latencies": [2_250_014] * 2,
        "versions": ["v3", "v3"],
        "features": {"a": [1.5, 4, math.inf], "b": [2, "nan", 8], "c": [3, 6, -math.inf]},
        "predictions": {"predict": [1, 0, 2]},
    }
    assert not skipped


@pytest.mark.parametrize("form", ["mlrun-v1", "mlrun-v2"])
def test_mlruns_events_give_the_same_rows_as_native_ones(form):
    rng = np.random.default_rng(3)
    events = [abc(f"r{at}", rng.normal(size=(1 + at % 3, 3)), [at % 5] * (1 + at % 3)) for at in range(50)]
    theirs = [message.value for message in encoder(form, structured=False)(events)]
    ours = [value for one in events for value in native(one)]
    left, right = plain(decoded(theirs)[0]), plain(decoded(ours)[0])
    if form == "mlrun-v1":
        left["versions"] = right["versions"]  # its events carry none
    assert left == right


@pytest.mark.parametrize("form", ["native", "mlrun-v1", "mlrun-v2"])
def test_text_booleans_and_bytes_are_text(form):
    mixed = {
        "age": np.array([41, 42], dtype=np.int32),
        "city": np.array(["Köln", None], dtype=object),
        "member": np.array([True, False]),
        "raw": np.array([b"ok", b"\xff"], dtype=object),
    }
    one = event(source(features=tuple(mixed)), "r", mixed, {"predict": np.array(["yes", "no"], dtype=object)})
    (message,) = encoder(form, structured=False)([one])
    block, _ = decoded([message.value], features=tuple(mixed))
    assert {name: column.tolist() for name, column in block.features.items()} == {
        "age": [41, 42],
        "city": ["Köln", None],
        "member": ["true", "false"],
        "raw": ["ok", "/w=="],
    }
    assert block.features["age"].dtype == np.float64
    assert block.features["city"].dtype == block.predictions["predict"].dtype == object
    assert block.predictions["predict"].tolist() == ["yes", "no"]


def test_a_text_column_that_is_all_missing_stays_text():
    one = event(source(features=("t",)), "r", {"t": np.array([None], dtype=object)})
    block, _ = decoded(native(one))
    assert block.features["t"].dtype == object
    assert block.features["t"].tolist() == [None]


def test_columns_come_and_go_within_a_chunk():
    """Another version of the model has another schema, and calls a number a class."""
    old, new = source(features=("a", "b")), source(features=("b", "c"), version="v4")
    values = [
        *native(event(old, "r1", np.array([[1.0, 2.0]]))),
        *native(event(new, "r2", np.array([[3.0, 4.0]]), {"predict": np.array(["x"], dtype=object)})),
        *native(event(old, "r3", np.array([[5.0, 6.5]]))),
    ]
    for careful in (False, True):
        got = plain(decoded(values, careful=careful)[0])
        assert got["features"] == {"a": [1, "nan", 5], "b": [2, 3, 6.5], "c": ["nan", 4, "nan"]}
        assert got["predictions"] == {"predict": ["0", "x", "0"]}
        assert got["versions"] == ["v3", "v4", "v3"]
        assert got["offsets"] == [10, 12, 14]


def test_arrays_become_columns_and_several_outputs_stay_apart():
    outputs = {"label": np.array([1, 0]), "probabilities": np.array([[0.25, 0.75], [math.inf, 0.0]])}
    (value,) = native(event(source(features=NAMES), "r", np.ones((2, 3)), outputs))
    got = plain(decoded([value])[0])
    assert got["predictions"] == {
        "label": [1, 0],
        "probabilities.0": [0.25, math.inf],
        "probabilities.1": [0.75, 0],
    }
    images = event(source(features=("image",)), "r", np.ones((2, 9, 9)))
    assert decoded(native(images))[0].features == {}


def test_a_request_in_parts_and_an_answer_that_is_not_by_row():
    whole = event(source(features=NAMES), "big", np.ones((30_000, 3)), {"predict": np.arange(30_000)})
    values = native(whole)
    assert len(values) > 1
    block, _ = decoded(values)
    assert block.rows == 30_000
    assert block.first_rows.tolist()[0] == 0
    assert (np.diff(block.first_rows) > 0).all()
    assert block.predictions["predict"].tolist() == list(range(30_000))
    one = event(source(features=NAMES), "odd", np.ones((2, 3)), {"predict": np.arange(5)})
    block, skipped = decoded(native(one))
    assert block.rows == 2
    assert block.predictions == {}
    assert not skipped


def mlrun(**changes):
    body = {
        "class": "C", "worker": 0, "model": "iris_v1", "version": "v1", "host": "h", "function_uri": "p/f",
        "request": {"inputs": [[1, 2, 3]]}, "op": "infer", "resp": {"id": "i", "model_name": "iris_v1", "outputs": [0]},
        "when": "2026-11-22 16:45:30.920123+00:00", "microsec": 5,
    }  # fmt: skip
    return json.dumps({name: value for name, value in (body | changes).items() if value is not ...}).encode()


def test_mlruns_batched_events():
    heads = ["request", "op", "resp", "when", "microsec", "metrics"]
    rows = [
        [{"inputs": [[1, 2, 3], [4, 5, 6]]}, "infer", {"id": "x", "outputs": [0, 1]}, "2026-11-22 16:45:30.920123+00:00", 7, {}],
        [{"inputs": [[7, 8, 9]]}, "infer", {"id": "y", "outputs": [2]}, "2026-11-22 16:45:31+00:00", 8, {}],
    ]  # fmt: skip
    second = mlrun(request=..., op=..., resp=..., when=..., microsec=..., headers=heads, values=rows)
    first = json.dumps(
        {
            "class": "C", "worker": 0, "model": "iris_v1", "host": "h", "op": "predict",
            "headers": ["request", "resp", "when", "microsec", "metrics"],
            "values": [[{"instances": [[1, 1, 1]]}, [5], "2026-11-22 16:45:30.920123", 3, {}]],
        }
    ).encode()  # fmt: skip
    got = plain(decoded([second, first])[0])
    assert got["features"] == {"a": [1, 4, 7, 1], "b": [2, 5, 8, 1], "c": [3, 6, 9, 1]}
    assert got["predictions"] == {"predict": [0, 1, 2, 5]}
    assert got["ids"] == ["x", "y", "7-12-0"]
    assert got["times"] == [TIME, TIME, TIME + 79_877, TIME]
    assert got["counts"] == [2, 1, 1]


@pytest.mark.parametrize(
    ("changes", "features", "expected"),
    [
        ({}, (), {"x0": [1], "x1": [2], "x2": [3]}),
        ({}, ("a", "b"), {"x0": [1], "x1": [2], "x2": [3]}),
        ({"request": {"inputs": [{"p": 1, "q": "t"}]}}, NAMES, {"p": [1], "q": ["t"]}),
        ({"request": {"inputs": {"p": [1], "q": [None]}}}, NAMES, {"p": [1], "q": ["nan"]}),
        ({"request": {"inputs": [5]}}, ("only",), {"only": [5]}),
        ({"request": {"inputs": [[[1, 2], [3, 4]]]}}, (), {"x.0": [1], "x.1": [2], "x.2": [3], "x.3": [4]}),
        ({"request": {"inputs": [[math.nan, 1e400, 3]]}}, NAMES, {"a": ["nan"], "b": [math.inf], "c": [3]}),
        ({"request": {"inputs": [[10**40, 2, 3]]}}, NAMES, {"a": [1e40], "b": [2], "c": [3]}),
        ({"endpoint_id": "u", "sampling_percentage": 50.0, "version": ...}, NAMES, {"a": [1], "b": [2], "c": [3]}),
    ],
)  # fmt: skip
def test_mlruns_forms_of_rows(changes, features, expected):
    block, skipped = decoded([mlrun(**changes)], features=features)
    assert plain(block)["features"] == expected
    assert not skipped


@pytest.mark.parametrize(
    ("when", "microseconds"),
    [
        ("2026-11-22 16:45:30.920123", 0),
        ("2026-11-22 17:45:30.920123+01:00", 0),
        ("2026-11-22T16:45:30.920123+00:00", 0),
        ("2026-11-22 16:45:30", -920_123),
    ],
)
def test_mlruns_times(when, microseconds):
    assert decoded([mlrun(when=when)])[0].times.tolist() == [TIME + microseconds]


BAD = {
    b"": "malformed",
    b"\xff\xfe": "malformed",
    b"[1]": "malformed",
    b"{}": "malformed",
    b"[" * 100_000: "malformed",
    b'{"schema":"moorage.capture/v2"}': "unknown_schema",
    b'{"schema":"moorage.capture/v10","model":"iris_v1"}': "unknown_schema",
    b'{"schema":"moorage.capture/v1","model":"iris_v1"}': "malformed",
    b'{"schema":"moorage.capture/v1","model":"other"}': "foreign_model",
    b'{"specversion":"1.0","id":"x","data":{}}': "unsupported",
    mlrun(model="other"): "foreign_model",
    mlrun(resp=..., error="Traceback"): "error_event",
    mlrun(when="yesterday"): "malformed",
    mlrun(microsec="5"): "malformed",
    mlrun(request={"inputs": [[1], [1, 2], [3]]}): "malformed",
    mlrun(request={"inputs": 5}): "malformed",
    native(abc())[0].replace(b'"time_us":[', b'"time_us":[1,'): "malformed",
    native(abc())[0].replace(b'"a":[1.5]', b'"a":[1.5,2]'): "malformed",
    native(abc())[0].replace(b'"a":[1.5]', b'"a":[]'): "malformed",
    native(abc())[0].replace(b'"rows":[1]', b'"rows":[-1]'): "malformed",
    native(abc())[0].replace(b'"rows":[1]', b'"rows":[1.5]'): "malformed",
    native(abc())[0].replace(b'"a":[1.5]', b'"a":5[1.5]'): "malformed",
    native(abc())[0].replace(b'"a":[1.5]', b'"a":[1.5]5'): "malformed",
    native(abc())[0].replace(b'"a":[1.5]', b'"a":[1.5.5]'): "malformed",
    native(abc())[0][:-1]: "malformed",
}


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("value", "reason"), BAD.items(), ids=range(len(BAD)))
def test_what_is_not_used_is_counted_and_the_rest_is(value, reason, careful):
    good = native(abc("r1"))[0], native(abc("r2"))[0]
    block, skipped = decoded([good[0], value, good[1]], careful=careful)
    assert skipped == {reason: 1}
    assert block.request_ids == ["r1", "r2"]
    assert block.offsets.tolist() == [10, 14]


def test_binary_cloudevents_are_unsupported():
    messages = encoder("cloudevents", structured=False)([abc()])
    block, skipped = decoded([one.value for one in messages], headers=[one.headers for one in messages])
    assert block is None
    assert skipped == {"unsupported": 2}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'"a":[1.5]', b'"a":[7],"a":[8]', {"a": [8], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":["t"]', {"a": ["t"], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":[true]', {"a": ["true"], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":[123456789012345678901234567890]', {"a": [123456789012345678901234567890.0], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":[ 1.5 ]', {"a": [1.5], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":[null]', {"a": ["nan"], "b": [2], "c": [3]}),
        (b'"a":[1.5]', b'"a":[-2.2250738585072014e-307]', {"a": [-2.2250738585072014e-307], "b": [2], "c": [3]}),
        (b'"a":[1.5],"b":[2.0]', b'"b":[2.0],"a":[1.5]', {"b": [2], "a": [1.5], "c": [3]}),
        (b'"a":[1.5]', b'"new":1,"a":[1.5]', None),
        (b'"id":["r1"]', b'"id":["\\u0072\\"1"]', {"a": [1.5], "b": [2], "c": [3]}),
    ],
)  # fmt: skip
def test_the_fast_way_leaves_the_unusual_to_the_careful_one(before, after, expected):
    others = [native(abc(f"o{at}", [[math.nan, 1, 2]]))[0] for at in range(9)]
    value = native(abc())[0].replace(before, after)
    values = [*others[:4], value, *others[4:]]
    fast, careful = decoded(values), decoded(values, careful=True)
    assert plain(fast[0]) == plain(careful[0])
    assert fast[1] == careful[1] == ({} if expected else {"malformed": 1})
    if expected:
        assert plain(decoded([value])[0])["features"] == expected


@pytest.mark.parametrize("identity", ["r", "null", "-2.2250738585072014e-307"])
@pytest.mark.parametrize("value", [1.5, math.nan, -2.2250738585072014e-307, math.inf])
@pytest.mark.parametrize("version", [None, "null"])
def test_large_messages_with_missing_values(identity, value, version):
    rows = np.arange(3000.0).reshape(-1, 3)
    rows[[1, 500, 501], [0, 1, 2]] = value
    whose = source(features=NAMES, version=version)
    values = native(abc(identity, rows, list(range(1000)), whose), abc("s", rows, [0] * 1000, whose))
    fast, careful = decoded(values), decoded(values, careful=True)
    assert plain(fast[0]) == plain(careful[0])
    np.testing.assert_array_equal(fast[0].features["a"][:1000], rows[:, 0])
    assert fast[0].request_ids == [identity, "s"]
    assert not fast[1]


numbers = st.one_of(
    st.floats(width=64), st.integers(-(2**60), 2**60).map(float), st.just(math.nan), st.just(math.inf)
)
sources = [source(features=NAMES), source(features=NAMES, host="iris-1", version=None), source(features=())]


@st.composite
def captured(draw, kinds):
    rows = draw(st.integers(1, 3))
    matrix = np.array([[draw(numbers) for _ in NAMES] for _ in range(rows)])
    answer = draw(
        st.sampled_from(
            [
                np.ones((rows, 2)),
                np.arange(rows),
                np.linspace(0, 1, rows),
                np.array(["x"] * rows, dtype=object),
                np.array([True] * rows),
            ][kinds]
        )
    )
    return event(
        draw(st.sampled_from(sources)),
        draw(st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable())),
        matrix,
        {"predict": answer} | draw(st.sampled_from([{}, {"second": np.zeros(rows)}])),
        received=draw(st.integers(0, 2**52)) * 1000,
        latency=draw(st.integers(0, 10**12)),
    )


@settings(max_examples=150, deadline=None)
@given(
    # a model answers with rows of numbers, or with one value each
    st.sampled_from([slice(0, 1), slice(1, 5)]).flatmap(lambda kinds: st.lists(captured(kinds), max_size=12)),
    st.sampled_from(["native", "mlrun-v1", "mlrun-v2"]),
    st.booleans(),
)
def test_both_ways_agree_with_each_other_and_with_the_plain_decoder(events, form, packed):
    encode = encoder(form, structured=False)
    batches = [events] if packed else [[one] for one in events]
    values = [message.value for batch in batches for message in encode(batch)]
    fast, careful = decoded(values), decoded(values, careful=True)
    assert plain(fast[0]) == plain(careful[0])
    assert not fast[1]
    requests = [one for value in values for one in decode(value)]
    block = fast[0]
    if not requests:
        assert block is None
        return
    assert block.request_ids == [one["id"] for one in requests]
    assert block.latencies.tolist() == [one["latency_us"] for one in requests]
    row = 0
    for one in requests:
        for inputs in one["inputs"]:
            names = one["features"] or (NAMES if form != "native" else ["x0", "x1", "x2"])
            for name, value in zip(names, inputs, strict=True):
                found = block.features[name][row]
                assert math.isnan(found) if value is None else found == value
            row += 1
    assert row == block.rows


pieces = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            native(abc())[0],
            native(abc("r2"), abc("r3"))[0],
            mlrun(),
            mlrun(error="x", resp=...),
            b"{}",
            b"null",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=8), st.data())
def test_arbitrary_bytes_are_used_or_counted(values, data):
    for at, value in enumerate(values):
        if value and data.draw(st.booleans()):
            place = data.draw(st.integers(0, len(value) - 1))
            cut = data.draw(st.integers(0, 3))
            values[at] = value[:place] + data.draw(st.binary(max_size=3)) + value[place + cut :]
    fast, careful = decoded(values), decoded(values, careful=True)
    assert plain(fast[0]) == plain(careful[0])
    assert fast[1] == careful[1]
    used = set() if fast[0] is None else set(fast[0].offsets.tolist())
    empty = len(values) - len(used) - fast[1].total()
    # a message may say that it has no rows
    assert 0 <= empty <= sum(b"[]" in value or b"[0" in value for value in values)
