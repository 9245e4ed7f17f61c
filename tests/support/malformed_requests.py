"""More than 300 malformed requests, made by rule: what is sent, the status that is right, and the error's shape."""

import json
from dataclasses import dataclass
from typing import Any

ROW = [5.1, 3.5, 1.4, 0.2]
V1, OIP, MLRUN, LEGACY = (
    "/v1/models/iris:predict",
    "/v2/models/iris/infer",
    "/v2/models/iris/predict",
    "/iris/predict",
)
TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
JSON, TEXT = "application/json", "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Bad:
    """One request; `closes`: the server does not read on after it."""

    name: str
    data: bytes
    status: int
    kind: str = JSON
    closes: bool = False


def post(path: str, body: bytes, method: str = "POST", more: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


NOT_JSON = {
    "nothing": b"",
    "half an object": b'{"instances": [[5.1, 3.5',
    "a single brace": b"{",
    "NaN": b'{"instances": [[NaN, 1, 1, 1]], "inputs": [[NaN, 1, 1, 1]]}',
    "Infinity": b'{"instances": [[Infinity, 1, 1, 1]], "inputs": [[-Infinity, 1, 1, 1]]}',
    "beyond a double": b'{"instances": [[1e400, 1, 1, 1]], "inputs": [[1e400, 1, 1, 1]]}',
    "deep lists": b'{"instances": ' + b"[" * 4000 + b"]" * 4000 + b"}",
    "deep objects": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "bad UTF-8": b'{"instances": ["\xff\xfe"]}',
    "half a surrogate": b'{"instances": ["\\ud800"]}',
    "UTF-16": '{"instances": [[1,2,3,4]]}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"instances": [[1,2,3,4]]}',
    "single quotes": b"{'instances': [[1,2,3,4]]}",
    "a trailing comma": b'{"instances": [[1,2,3,4],]}',
    "two documents": b'{"instances": []} {"instances": []}',
    "XML": b"<instances/>",
    "a form": b"instances=1&inputs=2",
    "zeros": b"\x00" * 64,
    "a list": b"[[5.1, 3.5, 1.4, 0.2]]",
    "a number": b"42",
    "null": b"null",
    "true": b"true",
    "a string of no JSON": b'"hello"',
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00.",
    "a huge whole number": b'{"instances": [[1' + b"0" * 400 + b", 1, 1, 1]]}",
    "hexadecimal": b'{"instances": [[0x10, 1, 1, 1]]}',
}
ROWS: dict[str, Any] = {
    "a string": "rows",
    "a number": 5,
    "null": None,
    "a boolean": True,
    "too few features": [[1, 2, 3]],
    "too many features": [[1, 2, 3, 4, 5]],
    "one row too short": [ROW, ROW, [1]],
    "a string among numbers": [[1, 2, 3, "four"]],
    "digits as a string": [["1", "2", "3", "4"]],
    "an object among numbers": [[1, 2, 3, {}]],
    "a list among numbers": [[1, 2, 3, [4]]],
    "too deep": [[ROW]],
    "an empty row": [[]],
    "a missing value": [[1, 2, 3, None]],
    "a row that is null": [ROW, None],
    "an unknown feature": [{"colour": "red"}],
    "unlike rows": [{"sepal length (cm)": 1}, ROW],
}
FIELDS: dict[str, list[Any]] = {
    "name": [1, None, [], {}, True, 1.5],
    "shape": [4, "1,4", None, [], [1], [4, 1], [1, 5], [2, 4], [0, 4], [-1, 4], [1, -4], ["1", "4"], [1.0, 4.0],
              [True, 4], [[1, 4]], [1, 4, 1], [10**18, 10**18], [1] * 40],
    "datatype": ["", "fp64", "FLOAT", "BF16", 64, None, ["FP64"], {}, "BYTES"],
    "data": [None, 1, "1,2,3,4", {}, [], [1], [1, 2, 3, 4, 5], [[1, 2], [3]], [[1, 2], [3, 4]], ["a", "b", "c", "d"],
             [1, 2, 3, None], [1, 2, 3, {}], [[[[1, 2, 3, 4]]]], [10**400, 1, 1, 1], [True, "x", 1, 1]],
    "parameters": [1, "x", [], True, {"binary_data_size": 32}, {"binary_data_size": -1}, {"binary_data_size": "8"}],
}  # fmt: skip
DOCUMENT: dict[str, list[Any]] = {
    "id": [1, [], {}, True, "x" * 300],
    "outputs": [1, "predict", {"name": "predict"}, ["predict"], [1], [{}], [{"name": 1}], [{"name": "nope"}],
                [{"name": "predict", "parameters": 1}]],
    "parameters": [1, "x", [1], True],
    "inputs": [None, 1, "x", {}, [], [TENSOR, 1], [TENSOR, {}], [TENSOR, TENSOR], [TENSOR, {**TENSOR, "name": "y"}]],
}  # fmt: skip


def shape_of(body: Any) -> str:
    """The dialect that the shared path takes a parsed body for: MLRun's only with an input that is no tensor."""
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, list) or not inputs:
        return JSON
    first = inputs[0]
    return JSON if isinstance(first, dict) and {"name", "shape", "datatype"} <= first.keys() else TEXT


def _bodies() -> list[Bad]:
    found = []
    kinds = {V1: JSON, OIP: JSON, MLRUN: TEXT, LEGACY: TEXT}
    for path, kind in kinds.items():
        found += [Bad(f"{path}: {name}", post(path, body), 400, kind) for name, body in NOT_JSON.items()]
    for path, key in ((V1, "instances"), (LEGACY, "instances"), (MLRUN, "inputs"), (OIP, "inputs")):
        for name, rows in ROWS.items():
            body = {key: rows}
            kind = shape_of(body) if path == OIP else kinds[path]
            found.append(Bad(f"{path}: {name}", post(path, json.dumps(body).encode()), 400, kind))
    for field, values in FIELDS.items():
        for number, value in enumerate(values):
            body = {"inputs": [{**TENSOR, field: value}]}
            if field == "parameters" and value == []:
                continue
            found.append(
                Bad(f"tensor.{field} {number}", post(OIP, json.dumps(body).encode()), 400, shape_of(body))
            )
    for field, values in DOCUMENT.items():
        for number, value in enumerate(values):
            body = {"inputs": [TENSOR], field: value}
            found.append(Bad(f"{field} {number}", post(OIP, json.dumps(body).encode()), 400, shape_of(body)))
    whole = json.dumps({"id": "t", "inputs": [TENSOR], "outputs": [{"name": "predict"}]}).encode()
    found += [Bad(f"cut at {end}", post(OIP, whole[:end]), 400) for end in range(1, len(whole) - 1, 4)]
    for path in (V1, LEGACY, MLRUN):
        body = b'{"data_url": "http://127.0.0.1:1/x"}'
        found.append(Bad(f"{path}: data_url", post(path, body), 400, kinds[path]))
    for length in ("-1", "x", "1e2", "99999", " "):
        more = f"Inference-Header-Content-Length: {length}\r\n"
        found.append(Bad(f"JSON length {length}", post(OIP, whole, more=more), 400))
    return found


def _paths() -> list[Bad]:
    missing = [
        "/x", "/v1", "/v3/models/iris/infer", "/v2/models/iris/infer/now", "/v2//models/iris/infer", "/v2/models/%00",
        "/v2/models/nope/infer", "/v2/models/iris/versions/9/infer", "/v2/models/iris/versions/infer",
        "/v1/models/nope:predict", "/v1/models/iris:dance", "/v1/models/iris:predict:predict", "/../../etc/passwd",
        "/v2/models/../../etc/passwd/infer", "/v2/repository/models/nope/load", "/" + "a" * 5000,
    ]  # fmt: skip
    found = [Bad(f"404 {path[:40]}", post(path, b"{}"), 404) for path in missing]
    found += [
        Bad(f"404 {path}", post(path, b"{}"), 404, TEXT)
        for path in ("/nope/predict", "/v2/models/nope/predict", "/v2/models/nope/infer_dict")
    ]
    for method in ("DELETE", "PATCH", "OPTIONS", "TRACE"):
        for path, kind in ((V1, JSON), (OIP, JSON), (LEGACY, TEXT), ("/v2", JSON)):
            found.append(Bad(f"{method} {path}", post(path, b"", method), 405, kind))
    return found


def _wire() -> list[Bad]:
    head = "POST /v2/models/iris/infer HTTP/1.1\r\nHost: t\r\n"
    lines = {
        "both lengths": ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        "both lengths, turned": ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        "two lengths": ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        "the same length twice": ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 400),
        "a list of lengths": ("Content-Length: 5, 5\r\n\r\nabcde", 400),
        "a signed length": ("Content-Length: +5\r\n\r\nabcde", 400),
        "a hexadecimal length": ("Content-Length: 0x5\r\n\r\nabcde", 400),
        "an endless length": ("Content-Length: 99999999999999999999999\r\n\r\n", 400),
        "a large length": ("Content-Length: 99999999999\r\n\r\n", 413),
        "chunked twice": ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        "chunked hidden": ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        "chunked not last": ("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        "a space before the colon": ("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        "a bad chunk": ("Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n", 400),
        "a chunk too short": ("Transfer-Encoding: chunked\r\n\r\n9\r\nabc\r\n0\r\n\r\n", 400),
        "an endless chunk": ("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
        "a folded header": ("X: a\r\n b\r\n\r\n", 400),
        "a header without a colon": ("nonsense\r\n\r\n", 400),
        "a zero byte": ("X: \0\r\n\r\n", 400),
        "a second host": ("Host: u\r\n\r\n", 400),
        "a large head": ("X: " + "x" * 40_000 + "\r\n\r\n", 431),
        "many headers": ("X: y\r\n" * 12_000 + "\r\n", 431),
        "another expectation": ("Expect: 200-maybe\r\n\r\n", 417),
        "gzip": ("Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", 415),
    }
    found = [
        Bad(name, (head + rest).encode(), status, JSON, closes=True) for name, (rest, status) in lines.items()
    ]
    raw = {
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "no method": b" / HTTP/1.1\r\n\r\n",
        "an unknown method": b"BREW / HTTP/1.1\r\nHost: t\r\n\r\n",
        "HTTP/9.9": b"GET / HTTP/9.9\r\nHost: t\r\n\r\n",
        "bare line feeds": b"GET / HTTP/1.1\nHost: t\n\n",
        "no host": b"GET / HTTP/1.1\r\n\r\n",
        "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: t\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "random": bytes(range(128, 256)),
    }
    found.append(Bad("HTTP/0.9", b"GET /\r\n\r\n", 505, JSON, closes=True))
    return found + [Bad(name, data, 400, JSON, closes=True) for name, data in raw.items()]


ALL = [*_bodies(), *_paths(), *_wire()]
