"""What a caller gets wrong is a 4xx that says what, in the dialect's own shape; the server's state is a 503."""

import orjson
import pytest

ROW = [1.0, 2.0, 3.0, 4.0]
TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
V1, OIP, MLRUN, LEGACY = (
    "/v1/models/iris:predict",
    "/v2/models/iris/infer",
    "/v2/models/iris/predict",
    "/iris/predict",
)


def tensor(**changes):
    return {key: value for key, value in {**TENSOR, **changes}.items() if value is not None}


BODIES = [
    # what a JSON reader refuses
    (V1, b"", "empty"),
    (V1, b"{", "not valid JSON"),
    (OIP, b'{"inputs": [NaN]}', "not valid JSON"),
    (OIP, b'{"inputs": [1e999]}', "not valid JSON"),
    (OIP, b'{"inputs": ["\xff"]}', "not valid JSON"),
    (MLRUN, b"[" * 5000 + b"]" * 5000, "not valid JSON"),
    (LEGACY, b'"', "not valid JSON"),
    (LEGACY, b'"{"', "not valid JSON"),
    (V1, b"[1]", "must be a JSON object, not a list"),
    (OIP, b"7", "must be a JSON object, not a number"),
    # rows
    (V1, {}, "instances"),
    (V1, {"instances": 3}, "instances must be a list of rows, not a number"),
    (V1, {"instances": []}, "no rows"),
    (V1, {"instances": [[1, 2]]}, "2 values, the model takes 4"),
    (V1, {"instances": [ROW, [1]]}, "row 1"),
    (V1, {"instances": [[1, 2, 3, "x"]]}, "'d'"),
    (V1, {"instances": [{"a": 1}]}, "missing feature 'b'"),
    (V1, {"instances": [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}]}, "unknown feature 'e'"),
    (V1, {"instances": [[-1, 2, 3, 4]]}, "negative"),
    (V1, {"data_url": "http://127.0.0.1/x"}, "data_url is refused"),
    (LEGACY, {"instances": [[1, 2]]}, "2 values"),
    (LEGACY, {"data_url": "/etc/passwd"}, "data_url is refused"),
    (MLRUN, {"inputs": []}, "inputs"),
    (MLRUN, {"inputs": {"a": 1}}, "list of rows, not an object"),
    (MLRUN, {"inputs": [[1, 2]]}, "2 values"),
    (MLRUN, {"inputs": [ROW], "id": 7}, "id must be a string"),
    (MLRUN, {"inputs": [ROW], "outputs": ["nope"]}, "no output 'nope'"),
    ("/v2/models/iris/infer_dict", {"inputs": [ROW]}, "objects by feature name"),
    (OIP, {"inputs": [[1, 2]]}, "2 values"),
    (OIP, {"data_url": "x", "inputs": [TENSOR]}, "data_url is refused"),
    (OIP, {"inputs": [tensor(datatype=None)]}, "needs name, shape and datatype"),
    # tensors
    (OIP, {}, "inputs must be a list of at least one tensor"),
    (OIP, {"inputs": []}, "inputs must be a list of at least one tensor"),
    (OIP, {"inputs": [tensor(name=3)]}, "inputs[0].name"),
    (OIP, {"inputs": [tensor(datatype="FP99")]}, "FP99"),
    (OIP, {"inputs": [tensor(datatype=["FP64"])]}, "inputs[0].datatype"),
    (OIP, {"inputs": [tensor(shape=[])]}, "inputs[0].shape"),
    (OIP, {"inputs": [tensor(shape=[-1, 4])]}, "inputs[0].shape"),
    (OIP, {"inputs": [tensor(shape=[True, 4])]}, "inputs[0].shape"),
    (OIP, {"inputs": [tensor(shape=[2, 4])]}, "has 4 values"),
    (OIP, {"inputs": [tensor(shape=[9999999999, 9999999999])]}, "has 4 values"),
    (OIP, {"inputs": [tensor(shape=[1, 3], data=ROW[:3])]}, "shape"),
    (OIP, {"inputs": [tensor(shape=[0, 4], data=[])]}, "no rows"),
    (OIP, {"inputs": [tensor(data=None)]}, "inputs[0].data"),
    (OIP, {"inputs": [tensor(data=[[1, 2], [3]])]}, "ragged"),
    (OIP, {"inputs": [tensor(data=["1", "2", "3", "4"])]}, "inputs[0].data"),
    (OIP, {"inputs": [tensor(data=[1, 2, 3, {}])]}, "inputs[0].data"),
    (OIP, {"inputs": [tensor(datatype="INT8", data=[1, 2, 3, 300])]}, "int8"),
    (OIP, {"inputs": [tensor(datatype="INT64", data=[1, 2, 3, 0.5])]}, "int64"),
    (OIP, {"inputs": [tensor(datatype="BYTES")]}, "inputs[0].data"),
    (OIP, {"inputs": [TENSOR, TENSOR]}, "given twice"),
    (OIP, {"inputs": [TENSOR, 7]}, "inputs[1] must be a tensor object, not a number"),
    (OIP, {"inputs": [tensor(parameters=7)]}, "inputs[0].parameters"),
    (OIP, {"inputs": [tensor(parameters={"binary_data_size": 8})]}, "does not hold"),
    (OIP, {"inputs": [TENSOR], "outputs": {"name": "predict"}}, "outputs must be a list"),
    (OIP, {"inputs": [TENSOR], "outputs": ["predict"]}, "outputs[0]"),
    (OIP, {"inputs": [TENSOR], "outputs": [{"name": "nope"}]}, "no output 'nope'"),
    (OIP, {"inputs": [TENSOR], "parameters": 7}, "parameters must be an object"),
    (OIP, {"inputs": [TENSOR], "id": {"a": 1}}, "id must be a string"),
    (OIP, {"inputs": [tensor(data=[-1, 2, 3, 4])]}, "negative"),
]


def text_expected(path, body):
    """MLRun's paths, and bodies that are recognised as MLRun's."""
    if path not in (V1, OIP):
        return True
    if path == V1 or not isinstance(body, dict):
        return False
    first = body["inputs"][0] if body.get("inputs") else {}
    complete = isinstance(first, dict) and {"name", "shape", "datatype"} <= first.keys()
    return "data_url" in body or (bool(first) and not complete)


@pytest.mark.parametrize(("path", "body", "message"), BODIES)
async def test_a_bad_body_is_a_400_that_says_why(app, path, body, message):
    reply = await app.ask("POST", path, body)
    assert reply.status == 400
    if text_expected(path, body):
        assert reply.headers["content-type"].startswith("text/plain")
        said = reply.body.decode()
    else:
        assert list(reply.json) == ["error"]
        said = reply.json["error"]
    assert message in said
    assert "Traceback" not in said


HEADERS = [
    ("12x", "Inference-Header-Content-Length"),
    ("999999", "Inference-Header-Content-Length"),
]


@pytest.mark.parametrize(("length", "message"), HEADERS)
async def test_a_wrong_length_of_the_json_is_refused(app, length, message):
    reply = await app.ask("POST", OIP, {"inputs": [TENSOR]}, {"Inference-Header-Content-Length": length})
    assert reply.status == 400
    assert message in reply.json["error"]


@pytest.mark.parametrize(
    ("size", "raw", "message"),
    [
        (32, b"x" * 31, "does not hold"),
        (31, b"x" * 31, "31 bytes"),
        (32, b"x" * 33, "belong to no input"),
    ],
)
async def test_raw_tensors_must_fit_their_shape(app, size, raw, message):
    head = orjson.dumps({"inputs": [tensor(data=None, parameters={"binary_data_size": size})]})
    reply = await app.ask("POST", OIP, head + raw, {"Inference-Header-Content-Length": str(len(head))})
    assert (reply.status, message in reply.json["error"]) == (400, True)


@pytest.mark.parametrize(
    "raw", [b"\x09\x00\x00\x00Oslo", b"\x04\x00", b"\x01\x00\x00\x00\xff", b"\x01\x00\x00\x00a" * 2]
)
async def test_raw_strings_must_be_whole(app, raw):
    city = {"name": "city", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    age = {"name": "age", "shape": [1], "datatype": "FP64", "data": [1.0]}
    head = orjson.dumps({"inputs": [age, city]})
    reply = await app.ask(
        "POST", "/v2/models/mixed/infer", head + raw, {"Inference-Header-Content-Length": str(len(head))}
    )
    assert reply.status == 400
    assert "inputs[1]" in reply.json["error"]


async def test_a_raw_tensor_must_have_whole_rows(app):
    reply = await app.ask("POST", OIP, b"x" * 33, {"Inference-Header-Content-Length": "0"})
    assert reply.status == 400


NOT_FOUND = [
    ("GET", "/nothing", "no such path", False),
    ("POST", "/v1/models/nope:predict", "no model 'nope'", False),
    ("GET", "/v1/models/nope", "no model 'nope'", False),
    ("POST", "/v2/models/nope/infer", "no model 'nope'", False),
    ("POST", "/v2/models/nope/predict", "no model 'nope'", True),
    ("POST", "/nope/predict", "no model 'nope'", True),
    ("POST", "/v2/models/iris/versions/v9/infer", "no version 'v9'; it has v3", False),
    ("GET", "/v2/models/mixed/versions/1", "no version '1'", False),
    ("POST", "/v2/models/iris/dance", "no such operation", False),
    ("POST", "/v2/models/iris/../iris/infer", "", False),
]


@pytest.mark.parametrize(("method", "path", "message", "text"), NOT_FOUND)
async def test_a_wrong_path_is_a_404_that_says_which_part(app, method, path, message, text):
    reply = await app.ask(method, path, {"inputs": [TENSOR]} if method == "POST" else None)
    assert reply.status == 404
    assert message in (reply.body.decode() if text else reply.json["error"])


async def test_a_body_without_a_model_cannot_be_routed(app):
    assert (await app.ask("POST", "/", {"inputs": [ROW]})).status == 400
    assert (await app.ask("POST", "/", {"model": "nope", "inputs": [ROW]})).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", OIP, "POST, PUT"),
        ("DELETE", V1, "POST"),
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("PATCH", "/v2/models", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_a_405_with_allow(app, method, path, allow):
    reply = await app.ask(method, path)
    assert (reply.status, reply.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/{}"),
        ("GET", "/v2/models/{}"),
        ("GET", "/v2/models/{}/ready"),
        ("POST", "/v2/models/{}/infer"),
        ("POST", "/v2/models/{}/predict"),
        ("POST", "/v1/models/{}:predict"),
        ("POST", "/v1/models/{}:explain"),
        ("PUT", "/{}/predict"),
    ],
)
async def test_a_model_that_is_not_there_is_a_503_with_the_reason(app, method, path):
    body = {"inputs": [TENSOR]} if method != "GET" else None
    broken = await app.ask(method, path.format("broken"), body)
    assert broken.status == 503
    assert b"ModelLoadFailed: no such file: /m" in broken.body
    loading = await app.ask(method, path.format("loading"), body)
    assert loading.status == 503
    assert b"is loading" in loading.body


async def test_a_fault_of_the_model_is_a_500_without_a_traceback(app):
    reply = await app.ask("POST", V1, {"instances": [[666, 0, 0, 0]]})
    assert reply.status == 500
    assert reply.json["error"] == "model iris failed: RuntimeError: boom"


async def test_a_full_server_says_503_and_when_to_come_back(app):
    app.gate.in_flight = app.limits.in_flight
    reply = await app.ask("POST", V1, {"instances": [ROW]})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert (await app.ask("GET", "/v2/health/live")).status == 200
