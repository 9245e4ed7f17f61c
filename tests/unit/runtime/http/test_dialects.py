"""Request in, reply out, for every dialect."""

import base64
import struct

import numpy as np
import orjson
import pytest

ROW = [1.0, 2.0, 3.0, 4.0]
TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}


def tensor(**changes):
    return {**TENSOR, **changes}


def column(name, data, datatype="FP64", shape=None):
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


COLUMNS = [column(name, [value]) for name, value in zip("abcd", ROW, strict=True)]

PREDICTIONS = [
    # path, body, the rows' predictions, where the reply has them
    ("/v1/models/iris:predict", {"instances": [ROW, ROW]}, [10, 10], "predictions"),
    ("/v1/models/iris:predict", {"inputs": [ROW]}, [10], "predictions"),
    ("/v1/models/iris:predict", {"inputs": {"a": [1], "b": [2], "c": [3], "d": [4]}}, [10], "predictions"),
    ("/v1/models/iris:predict", {"instances": [{"d": 4, "a": 1, "b": 2, "c": 3}]}, [10], "predictions"),
    (
        "/v1/models/iris:predict",
        {"instances": [{"a": [1, 5], "b": [2, 5], "c": [3, 5], "d": [4, 5]}]},
        [10, 20],
        "predictions",
    ),
    ("/v1/models/one:predict", {"instances": [1, 2]}, [1, 2], "predictions"),
    ("/v1/models/mixed:predict", {"instances": [[5, "Oslo"]]}, ["Oslo:5"], "predictions"),
    ("/v1/models/mixed:predict", {"instances": [{"age": 5, "city": "Oslo"}]}, ["Oslo:5"], "predictions"),
    ("/v2/models/iris/infer", {"inputs": [ROW, ROW]}, [10, 10], "outputs"),
    ("/v2/models/iris/infer", {"inputs": ROW, "outputs": []}, [10], "outputs"),
    ("/v2/models/iris/predict", {"inputs": [ROW]}, [10], "outputs"),
    ("/v2/models/iris/infer_dict", {"inputs": [{"a": 1, "b": 2, "c": 3, "d": 4}]}, [10], "outputs"),
    ("/v2/models/iris/predict_dict", {"inputs": [{"a": 1, "b": 2, "c": 3, "d": 4}]}, [10], "outputs"),
    ("/v2/models/iris/versions/v3/predict", {"inputs": [ROW]}, [10], "outputs"),
    ("/v2/models/one/infer", {"inputs": [1, 2, 3]}, [1, 2, 3], "outputs"),
    ("/v2/models/mixed/infer", {"inputs": [[5, "Oslo"], [6, "Rome"]]}, ["Oslo:5", "Rome:6"], "outputs"),
    ("/", {"model": "iris", "operation": "infer", "inputs": [ROW]}, [10], "outputs"),
    ("/iris/predict", {"instances": [ROW, ROW]}, [10, 10], None),
    ("/iris/predict", {"instances": ROW}, [10], None),
]


@pytest.mark.parametrize(("path", "body", "expected", "key"), PREDICTIONS)
async def test_rows_are_predicted(app, path, body, expected, key):
    reply = await app.ask("POST", path, body)
    assert reply.status == 200, reply.body
    assert (reply.json[key] if key else reply.json) == expected


@pytest.mark.parametrize("path", ["/iris/predict", "/v2/models/iris/infer"])
async def test_mlrun_clients_put_json_encoded_twice(app, path):
    body = {"instances": [ROW], "inputs": [ROW]}
    reply = await app.ask("PUT", path, orjson.dumps(orjson.dumps(body).decode()))
    assert reply.status == 200
    assert 10 in (reply.json if path.startswith("/iris") else reply.json["outputs"])


async def test_mlrun_reply_has_its_fields(app):
    reply = await app.ask("POST", "/v2/models/iris/infer", {"id": "r1", "inputs": [ROW]})
    assert reply.json["timestamp"].endswith("+00:00")
    assert {k: v for k, v in reply.json.items() if k != "timestamp"} == {
        "id": "r1",
        "model_name": "iris",
        "outputs": [10],
        "model_version": "v3",
    }


OIP = [
    ([TENSOR], [10], [1]),
    ([tensor(name="anything", shape=[2, 4], data=[ROW, ROW])], [10, 10], [2]),
    ([tensor(shape=[2, 4], data=[*ROW, *ROW])], [10, 10], [2]),
    ([tensor(datatype="INT32", data=[1, 2, 3, 4])], [10], [1]),
    ([tensor(datatype="FP32")], [10], [1]),
    (COLUMNS, [10], [1]),
    (COLUMNS[::-1], [10], [1]),
    ([column(name, [[1.0], [2.0]], shape=[2, 1]) for name in "abcd"], [4, 8], [2]),
]


@pytest.mark.parametrize(("inputs", "data", "shape"), OIP)
@pytest.mark.parametrize("path", ["/v2/models/iris/infer", "/v2/models/iris/versions/v3/infer"])
async def test_tensors_are_predicted(app, path, inputs, data, shape):
    reply = await app.ask("POST", path, {"id": "42", "inputs": inputs})
    assert reply.status == 200, reply.body
    assert reply.json == {
        "model_name": "iris",
        "model_version": "v3",
        "id": "42",
        "outputs": [{"name": "predict", "shape": shape, "datatype": "INT64", "data": data}],
    }


async def test_requested_outputs_come_in_their_order(app):
    names = [{"name": "predict_proba"}, {"name": "predict"}]
    reply = await app.ask("POST", "/v2/models/iris/infer", {"inputs": [TENSOR], "outputs": names})
    first, second = reply.json["outputs"]
    assert first == {"name": "predict_proba", "shape": [1, 2], "datatype": "FP64", "data": [10.0, -9.0]}
    assert second["name"] == "predict"


async def test_many_rows_read_the_same_as_few(app):
    rows = [[float(i), 0.5, 0.25, 0.25] for i in range(300)]
    body = {"inputs": [tensor(shape=[300, 4], data=rows)], "outputs": [{"name": "predict_proba"}]}
    output = (await app.ask("POST", "/v2/models/iris/infer", body)).json["outputs"][0]
    assert output["shape"] == [300, 2]
    assert output["data"] == [value for i in range(300) for value in (i + 1.0, -float(i))]


async def test_strings_travel_as_bytes(app):
    inputs = [column("age", [5.0]), column("city", ["Oslo"], "BYTES")]
    reply = await app.ask("POST", "/v2/models/mixed/infer", {"inputs": inputs})
    assert reply.json["outputs"] == [
        {"name": "predict", "shape": [1], "datatype": "BYTES", "data": ["Oslo:5"]}
    ]


async def test_nan_in_an_output_is_null(app):
    app.sums.predict = lambda inputs, outputs: {"predict": np.array([np.nan] * len(inputs))}
    reply = await app.ask("POST", "/v1/models/iris:predict", {"instances": [ROW]})
    assert reply.json == {"predictions": [None]}


def binary(document, *raw):
    head = orjson.dumps(document)
    return head + b"".join(raw), {"Inference-Header-Content-Length": str(len(head))}


async def test_binary_tensors_in_and_out(app):
    raw = np.array([ROW, ROW], np.float32).tobytes()
    document = {
        "inputs": [
            {"name": "x", "shape": [2, 4], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
        ],
        "outputs": [{"name": "predict_proba", "parameters": {"binary_data": True}}, {"name": "predict"}],
    }
    body, headers = binary(document, raw)
    reply = await app.ask("POST", "/v2/models/iris/infer", body, headers)
    assert reply.headers["content-type"] == "application/octet-stream"
    length = int(reply.headers["inference-header-content-length"])
    proba, predict = orjson.loads(reply.body[:length])["outputs"]
    assert proba["parameters"] == {"binary_data_size": 32}
    assert "data" not in proba
    assert predict["data"] == [10, 10]
    assert np.frombuffer(reply.body[length:], "<f8").tolist() == [10.0, -9.0, 10.0, -9.0]


async def test_binary_strings_in_and_out(app):
    city = struct.pack("<I", 4) + b"Oslo"
    age = struct.pack("<d", 5.0)
    inputs = [
        {"name": "city", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(city)}},
        {"name": "age", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}},
    ]
    body, headers = binary({"inputs": inputs, "parameters": {"binary_data_output": True}}, city, age)
    reply = await app.ask("POST", "/v2/models/mixed/infer", body, headers)
    length = int(reply.headers["inference-header-content-length"])
    assert reply.body[length:] == struct.pack("<I", 6) + b"Oslo:5"


async def test_a_body_can_be_one_raw_tensor(app):
    raw = np.array([ROW, ROW]).tobytes()
    reply = await app.ask("POST", "/v2/models/iris/infer", raw, {"Inference-Header-Content-Length": "0"})
    length = int(reply.headers["inference-header-content-length"])
    assert np.frombuffer(reply.body[length:], "<i8").tolist() == [10, 10]


DOCUMENTS = [
    ("GET", "/", {"status": "alive", "name": "ModelRouter", "version": "v2", "extensions": []}),
    ("GET", "/v2/health/live", {"live": True}),
    ("GET", "/v2/health/ready", {"ready": True}),
    ("GET", "/v1/models", {"models": ["iris", "mixed", "user", "one", "broken", "loading"]}),
    ("GET", "/v1/models/iris", {"name": "iris", "ready": True}),
    ("GET", "/v2/models/iris/ready", {"name": "iris", "ready": True}),
    ("GET", "/v2/models/iris/versions/v3/ready", {"name": "iris", "ready": True}),
    ("POST", "/v2/models", {"models": ["iris:v3", "mixed", "user", "one", "broken", "loading"]}),
    ("GET", "/v2/models/", {"models": ["iris:v3", "mixed", "user", "one", "broken", "loading"]}),
    (
        "GET",
        "/v2/models/mixed",
        {
            "name": "mixed",
            "platform": "mixed",
            "inputs": [
                {"name": "age", "datatype": "FP64", "shape": [-1]},
                {"name": "city", "datatype": "BYTES", "shape": [-1]},
            ],
            "outputs": [{"name": "predict", "datatype": "BYTES", "shape": [-1]}],
            "parameters": {"digest": "d" * 64, "revision": "r1"},
        },
    ),
]


@pytest.mark.parametrize(("method", "path", "expected"), DOCUMENTS)
async def test_documents(app, method, path, expected):
    reply = await app.ask(method, path)
    assert (reply.status, reply.json) == (200, expected)


async def test_metadata_lists_the_version(app):
    reply = await app.ask("GET", "/v2/models/iris")
    assert reply.json["versions"] == ["v3"]
    assert reply.json["outputs"][1] == {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]}


async def test_repository_index(app):
    entries = {each["name"]: each for each in (await app.ask("POST", "/v2/repository/index")).json}
    assert entries["iris"] == {"name": "iris", "version": "v3", "state": "READY", "reason": ""}
    assert entries["loading"]["state"] == "LOADING"
    assert entries["broken"]["state"] == "UNAVAILABLE"
    assert "no such file" in entries["broken"]["reason"]
    ready = (await app.ask("POST", "/v2/repository/index", {"ready": True})).json
    assert {each["name"] for each in ready} == {"iris", "mixed", "user", "one"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/repository/models/iris/load"),
        ("POST", "/v2/repository/models/iris/unload"),
        ("GET", "/v2/models/iris/stats"),
        ("GET", "/v2/models/stats"),
        ("POST", "/v1/models/iris:explain"),
        ("POST", "/v2/models/iris/explain"),
    ],
)
async def test_what_is_not_there_yet_says_so(app, method, path):
    reply = await app.ask(method, path, {"instances": [ROW]} if "explain" in path else None)
    assert reply.status == 501
    assert len(reply.body) > 20


async def test_operations_of_a_class(app):
    explained = await app.ask("POST", "/v1/models/user:explain", {"instances": [ROW]})
    assert explained.json == {"why": [ROW]}
    legacy = await app.ask("PUT", "/user/explain", {"instances": [ROW]})
    assert legacy.json == {"why": [ROW]}
    modern = await app.ask("POST", "/v2/models/user/explain", {"id": "e", "inputs": [ROW]})
    assert (modern.json["id"], modern.json["outputs"]) == ("e", {"why": [ROW]})
    custom = await app.ask("GET", "/v2/models/user/shout")
    assert custom.body == b"LOUD"
    assert custom.headers["content-type"].startswith("text/plain")


async def test_the_requests_id_is_the_bodys_then_the_headers_then_a_new_one(app):
    header = {"X-Request-ID": "from-header"}
    both = await app.ask("POST", "/v2/models/iris/infer", {"id": "from-body", "inputs": [TENSOR]}, header)
    assert both.json["id"] == "from-body"
    assert (await app.ask("POST", "/v2/models/iris/infer", {"inputs": [TENSOR]}, header)).json[
        "id"
    ] == "from-header"
    made = {
        (await app.ask("POST", "/v2/models/iris/infer", {"inputs": [TENSOR]})).json["id"] for _ in range(2)
    }
    assert len(made) == 2
    v1 = await app.ask("POST", "/v1/models/iris:predict", {"instances": [ROW]}, header)
    assert v1.headers["x-request-id"] == "from-header"
    assert [event[0] for event in app.recording.events][:2] == ["from-body", "from-header"]


STRUCTURED = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "predict"}


@pytest.mark.parametrize(
    "event",
    [
        {**STRUCTURED, "data": {"instances": [ROW]}},
        {**STRUCTURED, "data_base64": base64.b64encode(orjson.dumps({"instances": [ROW]})).decode()},
    ],
)
async def test_a_structured_cloudevent_is_opened(app, event):
    headers = {"Content-Type": "application/cloudevents+json"}
    reply = await app.ask("POST", "/v1/models/iris:predict", event, headers)
    assert (reply.status, reply.json) == (200, {"predictions": [10]})
    explained = await app.ask("POST", "/v1/models/user:explain", event, headers)
    assert explained.json == {"why": [ROW]}


async def test_a_cloudevent_in_binary_mode_is_its_body(app):
    headers = {"Ce-Specversion": "1.0", "Ce-Id": "e1", "Ce-Source": "/shop", "Ce-Type": "predict"}
    reply = await app.ask("POST", "/v1/models/iris:predict", {"instances": [ROW]}, headers)
    assert (reply.status, reply.json) == (200, {"predictions": [10]})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (STRUCTURED, "data of the CloudEvent must be an object"),
        ({**STRUCTURED, "data": "<xml/>"}, "not a string"),
        ({**STRUCTURED, "data_base64": "%"}, "no base64"),
        ({**STRUCTURED, "data_base64": "AAAA"}, "not valid JSON"),
        ({**STRUCTURED, "data": {"rows": []}}, "instances"),
    ],
)
async def test_a_cloudevent_without_a_request_is_refused(app, event, said):
    reply = await app.ask("POST", "/v1/models/iris:predict", event)
    assert reply.status == 400
    assert said in reply.json["error"]
