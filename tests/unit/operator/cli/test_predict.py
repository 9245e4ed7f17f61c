"""`moorage predict` asks in three dialects, and says what went wrong."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from moorage_operator.cli.bodies import DIALECTS, rows_of, tensors


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ({"a": 1}, [{"a": 1}]),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}]),
        ({"instances": [[1]]}, [[1]]),
        ({"inputs": [[1]], "id": "x"}, [[1]]),
    ],
)
def test_rows_may_be_written_in_many_ways(data, rows):
    assert rows_of(data) == rows


@pytest.mark.parametrize("data", [[], 1, "x", None, [[1], {"a": 1}], [{"a": 1}, {"b": 1}]])
def test_what_is_no_row(data):
    with pytest.raises(ValueError, match="row"):
        rows_of(data)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 2], [3, 4]], [("input", [2, 2], "INT64", [1, 2, 3, 4])]),
        ([[1.5, 2]], [("input", [1, 2], "FP64", [1.5, 2])]),
        ([["a"]], [("input", [1, 1], "BYTES", ["a"])]),
        ([[True]], [("input", [1, 1], "BOOL", [True])]),
        (
            [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
            [("a", [2], "INT64", [1, 2]), ("b", [2], "BYTES", ["x", "y"])],
        ),
        ([{"image": [[1, 2], [3, 4]]}], [("image", [1, 2, 2], "INT64", [1, 2, 3, 4])]),
    ],
)
def test_tensors_of_rows(rows, expected):
    assert tensors(rows) == [
        {"name": name, "shape": shape, "datatype": datatype, "data": data}
        for name, shape, datatype, data in expected
    ]


@pytest.mark.parametrize(
    ("rows", "words"), [([[1], [1, 2]], "differ in length"), ([["a", 1]], "mixes int and str")]
)
def test_rows_that_are_no_tensor(rows, words):
    with pytest.raises(ValueError, match=words):
        tensors(rows)


@pytest.mark.parametrize(
    ("outputs", "rows"),
    [
        ([{"shape": [2], "data": [0, 1]}], [0, 1]),
        ([{"shape": [2, 1], "data": [0, 1]}], [0, 1]),
        ([{"shape": [2, 2], "data": [1, 2, 3, 4]}], [[1, 2], [3, 4]]),
        ([{"shape": [2], "data": [0, 1]}, {"shape": [2], "data": ["a", "b"]}], [[0, "a"], [1, "b"]]),
    ],
)
def test_predictions_of_tensors(outputs, rows):
    assert DIALECTS["v2"].predictions({"outputs": outputs}) == rows


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.reply)

    def log_message(self, *_):
        pass


class Server(HTTPServer):
    """Answers every request with what it is told, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked, self.status, self.reply = [], 200, b"{}"
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("dialect", "path", "body", "reply"),
    [
        ("v1", "/v1/models/m:predict", {"instances": [[1, 2]]}, {"predictions": [7]}),
        ("mlrun", "/v2/models/m/infer", {"inputs": [[1, 2]]}, {"outputs": [7]}),
        (
            "v2",
            "/v2/models/m/infer",
            {"inputs": tensors([[1, 2]])},
            {"outputs": [{"shape": [1], "data": [7]}]},
        ),
    ],
)
def test_each_dialect_asks_and_answers_in_its_own_words(moorage, server, dialect, path, body, reply):
    moorage.serving(status={"url": server.url})
    server.reply = json.dumps(reply).encode()
    done = moorage("predict", "iris", "--data", "[1, 2]", "--dialect", dialect, "--show-curl")
    assert server.asked == [(path, body)]
    assert done.stdout == "7\n"
    assert done.stderr.startswith(f"curl -s {server.url}{path} -H 'content-type: application/json' -d '")
    assert (
        json.loads(moorage("predict", "iris", "--data", "[1]", "--dialect", dialect, "-o", "json").stdout)
        == reply
    )


def test_data_from_a_file_or_standard_input(moorage, server, tmp_path):
    moorage.serving(status={"url": server.url})
    server.reply = b'{"predictions": ["a", [0.5]]}'
    (tmp_path / "rows.json").write_text("[[1], [2]]")
    done = moorage("predict", "iris", "--dialect", "v1", "--data", f"@{tmp_path / 'rows.json'}")
    assert done.stdout == "a\n[0.5]\n"
    moorage("predict", "iris", "--dialect", "v1", "--data", "-", stdin="[[1], [2]]")
    assert server.asked[0] == server.asked[1] == ("/v1/models/m:predict", {"instances": [[1], [2]]})


def test_a_refusal_of_the_server_is_shown(moorage, server):
    moorage.serving(status={"url": server.url})
    server.status, server.reply = 400, b'{"error": "missing feature \'a\'"}'
    done = moorage("predict", "iris", "--data", "[1]", code=1)
    assert done.stderr == "Error from server (400 Bad Request): missing feature 'a'\n"
    server.status, server.reply = 503, b"busy\n"
    assert "503 Service Unavailable): busy" in moorage("predict", "iris", "--data", "[1]", code=1).stderr
    server.status, server.reply = 200, b"<html>"
    assert "answered no JSON" in moorage("predict", "iris", "--data", "[1]", code=1).stderr
    server.reply = b"{}"
    assert "not a reply of this dialect" in moorage("predict", "iris", "--data", "[1]", code=1).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "{"], "error: --data: "),
        (["--data", "[]"], "error: --data: a row is a list"),
        (["--data", "[[1], [1, 2]]"], "error: --data: rows differ in length"),
        (["--data", "@/nowhere.json"], "error: /nowhere.json: No such file or directory"),
        (["--data", "[1]", "--model", "x"], 'has no model "x": m'),
        (["--data", "[1]"], "does not answer"),
    ],
)
def test_what_cannot_be_asked(moorage, words, said):
    moorage.serving(status={"url": "http://127.0.0.1:1"})
    assert said in moorage("predict", "iris", *words, code=1).stderr


def test_a_serving_without_an_address_says_why(moorage, ready):
    moorage.serving()
    assert (
        "has no address yet: is `moorage up` running?"
        in moorage("predict", "iris", "--data", "[1]", code=1).stderr
    )
    moorage.store.put_status(
        "ModelServing", "default", "iris", {"conditions": [ready("False", "Progressing")]}
    )
    assert "has no address yet: Progressing" in moorage("predict", "iris", "--data", "[1]", code=1).stderr


def test_one_of_several_models_has_to_be_chosen(moorage):
    models = [{"name": name, "uri": "s3://a/b", "framework": {"name": "sklearn"}} for name in ("a", "b")]
    moorage.serving(models=models, status={"url": "http://127.0.0.1:1"})
    assert "choose one by --model: a, b" in moorage("predict", "iris", "--data", "[1]", code=1).stderr
