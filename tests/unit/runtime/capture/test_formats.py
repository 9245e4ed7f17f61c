"""What each format writes, byte for byte where readers depend on it, and that `decode` reads all of it back."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.capture.decode import DecodeError, decode, merge
from moorage_runtime.capture.formats import encoder
from support.events import event, source

FORMATS = ["native", "mlrun-v1", "mlrun-v2", "cloudevents"]


def encode(form, events, structured=False):
    return encoder(form, structured=structured)(events)


def read(messages):
    return merge([one for message in messages for one in decode(message.value, message.headers)])


def only(messages):
    (message,) = messages
    return json.loads(message.value)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("structured", [False, True])
def test_every_format_carries_the_request(form, structured):
    rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.0, 2.2, 4.0, 1.0]])
    one = event(source(), "r1", rows, {"predict": np.array([0, 2])})
    messages = encode(form, [one], structured)
    assert sum(message.events for message in messages) == 1
    assert not any(b"\n" in message.value for message in messages)
    if structured:
        assert not any(message.headers for message in messages)
    (decoded,) = read(messages)
    assert decoded["format"] == form
    assert decoded["id"] == "r1"
    assert decoded["model"] == "iris_v1"
    assert decoded["framework"] == "sklearn"
    assert decoded["class"] == "Pipeline"
    assert decoded["host"] == "iris-0"
    assert decoded["time"] == "2026-11-22T16:45:30.920123Z"
    assert decoded["latency_us"] == 2_250_014
    assert decoded["operation"] == "infer"
    assert decoded["inputs"] == rows.tolist()
    assert decoded["outputs"] == {"predict": [0, 2]}
    if form != "mlrun-v1":
        assert (decoded["version"], decoded["namespace"], decoded["serving"]) == ("v3", "ml", "iris")
    if form in ("native", "cloudevents"):
        assert decoded["features"] == list(source().features)
        assert decoded["digest"] == "9f" * 32
        assert decoded["revision"] == "a1b2c3"


def test_native_is_one_message_per_model_with_named_typed_columns():
    iris, other = source(), source(model="other", features=("a", "b"))
    events = [event(iris, f"i{number}") for number in range(3)]
    events.insert(1, event(other, "o1", np.array([[1, 2]]), {"predict": np.array(["no"], dtype=object)}))
    first, second = encode("native", events)
    assert (first.events, second.events) == (3, 1)
    body = json.loads(first.value)
    assert body["schema"] == "moorage.capture/v1"
    assert body["columns"][0] == {
        "name": "sepal_length",
        "role": "feature",
        "type": "numerical",
        "dtype": "float64",
    }
    assert body["columns"][-1] == {
        "name": "predict",
        "role": "prediction",
        "type": "numerical",
        "dtype": "int64",
    }
    assert body["requests"] == {
        "id": ["i0", "i1", "i2"],
        "time_us": [1_795_365_930_920_123] * 3,
        "latency_us": [2_250_014] * 3,
        "rows": [1, 1, 1],
        "first_row": [0, 0, 0],
        "operation": ["infer"] * 3,
    }
    assert body["features"]["petal_width"] == [0.2] * 3
    assert body["predictions"] == {"predict": [0] * 3}
    assert json.loads(second.value)["columns"][-1]["type"] == "categorical"


def test_native_keeps_mixed_columns_strings_and_sequences():
    mixed = {
        "age": np.array([41, 42], dtype=np.int32),
        "income": np.array([1.5, 0.1], dtype=np.float32),
        "city": np.array(["Köln\n", None], dtype=object),
        "member": np.array([True, False]),
        "embedding": np.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    one = event(
        source(features=tuple(mixed)), inputs=mixed, outputs={"predict": np.array([[0.1, 0.9], [1, 0]])}
    )
    body = only(encode("native", [one]))
    assert body["features"] == {
        "age": [41, 42],
        "income": [1.5, 0.1],
        "city": ["Köln\n", None],
        "member": [True, False],
        "embedding": [[1.0, 2.0], [3.0, 4.0]],
    }
    described = {column["name"]: (column["type"], column["dtype"]) for column in body["columns"]}
    assert described["age"] == ("numerical", "int32")
    assert described["city"] == ("categorical", "string")
    assert described["member"] == ("categorical", "bool")
    assert described["embedding"] == ("numerical_sequence", "float64")
    assert body["columns"][-1]["shape"] == [2]


def test_native_tells_infinities_from_missing_values():
    rows = np.array([[math.nan, 1.0], [math.inf, 2.0], [3.0, -math.inf]])
    one = event(source(features=("a", "b")), inputs=rows, outputs={"a": np.array([0.5, math.inf, math.nan])})
    messages = encode("native", [one])
    body = only(messages)
    assert body["features"] == {"a": [None, None, 3.0], "b": [1.0, 2.0, None]}
    assert body["infinite"] == {"features": {"a": {"1": 1}, "b": {"2": -1}}, "predictions": {"a": {"1": 1}}}
    (decoded,) = read(messages)
    assert decoded["inputs"] == [[None, 1.0], [math.inf, 2.0], [3.0, -math.inf]]
    assert decoded["outputs"] == {"a": [0.5, math.inf, None]}


@pytest.mark.parametrize(
    ("features", "inputs", "names"),
    [
        ((), np.zeros((2, 3)), ["x0", "x1", "x2"]),
        (("image",), np.zeros((2, 4, 4, 3), dtype=np.float32), ["image"]),
        ((), np.zeros((2, 4, 4)), ["x"]),
        (("text",), np.array(["a", "b"], dtype=object), ["text"]),
        (("a", "b"), np.array([["p", 1], ["q", 2]], dtype=object), ["a", "b"]),
        (("a",), np.zeros((0, 1)), ["a"]),
    ],
)
def test_native_names_the_columns_of_any_shape(features, inputs, names):
    one = event(source(features=features), inputs=inputs, outputs={"predict": np.zeros(len(inputs))})
    messages = encode("native", [one])
    assert list(only(messages)["features"]) == names
    (decoded,) = read(messages)
    assert len(decoded["inputs"]) == len(inputs)
    assert np.array(decoded["outputs"]["predict"]).shape == (len(inputs),)


def test_native_keeps_requests_with_other_outputs_apart():
    iris = source()
    both = {"predict": np.array([1]), "predict_proba": np.array([[0.2, 0.8]])}
    messages = encode("native", [event(iris, "a"), event(iris, "b", outputs=both), event(iris, "c")])
    assert [message.events for message in messages] == [2, 1]
    assert {one["id"]: list(one["outputs"]) for one in read(messages)} == {
        "a": ["predict"],
        "b": ["predict", "predict_proba"],
        "c": ["predict"],
    }


def test_native_keeps_an_answer_whole_that_is_not_by_row():
    iris = source()
    rows = np.ones((2, 4))
    events = [
        event(iris, "a", rows, {"predict": np.array([1, 2])}),
        event(iris, "summary", rows, {"predict": np.array([7, 8, 9])}),
        event(iris, "scalar", rows, {"predict": np.array(5)}),
        event(iris, "b", rows, {"predict": np.array([3, 4])}),
    ]
    outputs = {one["id"]: one["outputs"]["predict"] for one in read(encode("native", events))}
    assert outputs == {"a": [1, 2], "summary": [7, 8, 9], "scalar": [5], "b": [3, 4]}


@pytest.mark.parametrize("width", [4, 300])
def test_native_splits_what_is_too_large_and_counts_a_request_once(width):
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(20_000 if width == 4 else 600, width))
    names = tuple(f"f{number}" for number in range(width))
    large = event(source(features=names), "large", rows, {"predict": np.arange(len(rows))})
    small = event(large.source, "small", rows[:1], {"predict": np.array([7])})
    messages = encode("native", [small, large, small])
    assert len(messages) > 2
    assert max(len(message.value) for message in messages) <= 900_000
    assert sum(message.events for message in messages) == 3
    decoded = {one["id"]: one for one in read(messages)}
    assert decoded["large"]["inputs"] == rows.tolist()
    assert decoded["large"]["outputs"]["predict"] == list(range(len(rows)))


def test_native_splits_long_text_by_its_real_size():
    texts = np.array(["ü" * 100_000] * 20, dtype=object)
    one = event(source(features=("text",)), "r", {"text": texts}, {"predict": np.zeros(20)})
    messages = encode("native", [one])
    assert max(len(message.value) for message in messages) <= 900_000
    assert [len(found["inputs"]) for found in read(messages)] == [20]


def test_mlrun_v1_has_the_keys_that_its_consumers_read():
    body = only(encode("mlrun-v1", [event(source(), operation="predict")]))
    assert body == {
        "op": "predict",
        "class": "Pipeline",
        "worker": 0,
        "model": "iris_v1",
        "host": "iris-0",
        "labels": {"framework": "sklearn"},
        "request": {"id": "r1", "instances": [[5.1, 3.5, 1.4, 0.2]]},
        "resp": [0],
        "when": "2026-11-22 16:45:30.920123",
        "microsec": 2_250_014,
    }


def test_mlrun_v1_gives_named_rows_where_the_model_takes_named_columns():
    columns = {"X1": np.array([0.5, 1.5]), "X2": np.array(["a", "b"], dtype=object)}
    one = event(source(features=("X1", "X2")), inputs=columns, outputs={"predict": np.array([1, 0])})
    messages = encode("mlrun-v1", [one])
    assert only(messages)["request"]["instances"] == [{"X1": 0.5, "X2": "a"}, {"X1": 1.5, "X2": "b"}]
    assert read(messages)[0]["features"] == ["X1", "X2"]
    assert only(encode("mlrun-v2", [one]))["request"]["inputs"] == [[0.5, "a"], [1.5, "b"]]


def test_mlrun_v2_has_the_keys_that_its_monitor_requires():
    (message,) = encode("mlrun-v2", [event(source())])
    assert message.key == b"ml/iris/iris_v1"
    assert json.loads(message.value) == {
        "class": "Pipeline",
        "worker": 0,
        "model": "iris_v1",
        "version": "v3",
        "host": "iris-0",
        "function_uri": "ml/iris",
        "labels": {"framework": "sklearn"},
        "request": {"id": "r1", "inputs": [[5.1, 3.5, 1.4, 0.2]]},
        "op": "infer",
        "resp": {
            "id": "r1",
            "model_name": "iris_v1",
            "outputs": [0],
            "timestamp": "2026-11-22 16:45:33.170137+00:00",
            "model_version": "v3",
        },
        "when": "2026-11-22 16:45:30.920123+00:00",
        "microsec": 2_250_014,
        "metrics": {},
    }


def test_cloudevents_in_kafkas_binary_mode():
    request, response = encode("cloudevents", [event(source())])
    assert (request.events, response.events) == (0, 1)
    assert request.key == response.key == b"r1"
    sent, answered = dict(request.headers), dict(response.headers)
    assert sent["ce_specversion"] == b"1.0"
    assert sent["ce_id"] == answered["ce_id"] == b"r1"
    assert sent["ce_type"] == b"org.kubeflow.serving.inference.request"
    assert answered["ce_type"] == b"org.kubeflow.serving.inference.response"
    assert sent["ce_source"] == b"/namespaces/ml/modelservings/iris/models/iris_v1"
    assert sent["ce_inferenceservicename"] == b"iris"
    assert sent["ce_namespace"] == b"ml"
    assert sent["ce_component"] == b"predictor"
    assert sent["ce_time"] == b"2026-11-22T16:45:30.920123Z"
    assert answered["ce_time"] == b"2026-11-22T16:45:33.170137Z"
    assert sent["content-type"] == b"application/json"
    assert json.loads(request.value)["inputs"] == [
        {
            "name": "input-0",
            "shape": [1, 4],
            "datatype": "FP64",
            "parameters": {"names": list(source().features)},
            "data": [5.1, 3.5, 1.4, 0.2],
        }
    ]
    assert json.loads(response.value) == {
        "model_name": "iris_v1",
        "model_version": "v3",
        "id": "r1",
        "outputs": [{"name": "predict", "shape": [1], "datatype": "INT64", "data": [0]}],
    }


def test_structured_cloudevents_say_the_same():
    request, response = encode("cloudevents", [event(source())], structured=True)
    binary = encode("cloudevents", [event(source())])
    for message, other in zip((request, response), binary, strict=True):
        body = json.loads(message.value)
        assert body.pop("data") == json.loads(other.value)
        assert body.pop("datacontenttype") == "application/json"
        attributes = {name: value.decode() for name, value in other.headers if name != "content-type"}
        assert {f"ce_{name}": value for name, value in body.items()} == attributes


@pytest.mark.parametrize("form", FORMATS)
def test_sources_without_version_and_digest_are_fine(form):
    bare = source(version=None, digest=None, revision="", features=())
    (decoded,) = read(encode(form, [event(bare)], structured=True))
    assert decoded["version"] is None
    assert decoded["inputs"] == [[5.1, 3.5, 1.4, 0.2]]


@pytest.mark.parametrize("form", FORMATS)
def test_odd_ids_and_names_stay_what_they_are(form):
    odd = 'a"b\\c\nd%sü'
    messages = encode(form, [event(source(model='m"x', version='v"1'), odd)])
    (decoded,) = read(messages)
    assert (decoded["id"], decoded["model"]) == (odd, 'm"x')
    assert not any(b"\n" in message.value for message in messages)


@pytest.mark.parametrize("form", FORMATS)
def test_bytes_that_are_no_text_are_kept(form):
    columns = {"blob": np.array([b"text", b"\xff\x00"], dtype=object)}
    one = event(source(features=("blob",)), inputs=columns, outputs={"predict": np.array([0, 1])})
    (decoded,) = read(encode(form, [one]))
    assert decoded["inputs"] == [["text"], [{"base64": "/wA="}]]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "int8", "uint64", "bool", "longdouble"])
def test_numbers_of_any_type(form, dtype):
    rows = np.array([[0, 1, 1, 0]]).astype(dtype)
    (decoded,) = read(encode(form, [event(source(), inputs=rows)]))
    assert decoded["inputs"] == [[0, 1, 1, 0]]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.floats(allow_nan=False, width=64), min_size=3, max_size=3), min_size=1, max_size=120)
)
def test_native_gives_every_number_back_exactly(rows):
    events = [event(WHOLE, str(number), np.array([row])) for number, row in enumerate(rows)]
    assert [one["inputs"][0] for one in read(encode("native", events))] == rows


WHOLE = source(features=("a", "b", "c"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "neither `schema`"),
        (b'{"schema": "moorage.capture/v2"}', "v2"),
        (b'{"schema": "moorage.capture/v1"}', "requests"),
        (b'{"resp": [0]}', "request"),
        (b'{"specversion": "1.0", "type": "x", "id": "1", "time": "t", "data": {}}', "type x"),
    ],
)
def test_what_is_no_event_is_said(value, said):
    with pytest.raises(DecodeError, match=said):
        decode(value)


def test_readers_ignore_fields_of_a_newer_minor_version():
    body = only(encode("native", [event(source())]))
    body |= {"schema": "moorage.capture/v1", "traces": ["x"]}
    assert decode(json.dumps(body).encode())[0]["id"] == "r1"


def test_decoding_needs_the_standard_library_only():
    script = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'orjson', 'confluent_kafka']));"
        "import moorage_runtime.capture.decode, moorage_runtime.streams.directory"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
