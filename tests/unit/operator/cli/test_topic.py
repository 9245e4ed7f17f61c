"""`moorage topic` on directory streams: lines in, messages out."""

import json

import pytest

from moorage_operator.cli.records import shown
from moorage_runtime.streams.base import Record

LINES = '{"id": 1, "x": 0.5}\n\n{"id": "b", "x": 1.5}\r\n'


def consume(moorage, *words, code=0, topic="iris.in"):
    return moorage("topic", "consume", topic, "--from-beginning", *words, code=code)


def test_lines_become_messages_and_come_back_in_order(moorage):
    done = moorage("topic", "produce", "iris.in", stdin=LINES)
    assert done.stdout == f"2 messages written to {moorage.state}/streams/iris.in\n"
    moorage("topic", "produce", "iris.in", "-f", "-", stdin="third\n")
    lines = consume(moorage, "--max-messages", "3").stdout.splitlines()
    assert lines == ['{"id": 1, "x": 0.5}', '{"id": "b", "x": 1.5}', "third"]


def test_a_file_is_read(moorage, tmp_path):
    (tmp_path / "rows").write_text("".join(f"{number}\n" for number in range(1000)))
    moorage("topic", "produce", "t", "-f", str(tmp_path / "rows"))
    lines = consume(moorage, "--max-messages", "1000", topic="t").stdout.splitlines()
    assert lines == [str(number) for number in range(1000)]


def test_json_says_where_a_message_lies(moorage):
    moorage("topic", "produce", "iris.in", stdin="a\nbc\n")
    found = [
        json.loads(line) for line in consume(moorage, "--timeout", "0", "-o", "json").stdout.splitlines()
    ]
    assert [(one["value"], one["offset"], one["key"], one["headers"]) for one in found] == [
        ("a", 0, None, []),
        ("bc", 2, None, []),
    ]
    assert len({one["partition"] for one in found}) == 1


def test_bytes_that_are_no_text_are_shown_in_base64():
    record = Record(b"\xff", "0", 1, key=b"\xfe", headers=(("h", b"v"), ("b", b"\xff")), timestamp=3)
    assert shown(record) == {
        "partition": "0",
        "offset": 1,
        "timestamp": 3,
        "keyBase64": "/g==",
        "headers": [{"name": "h", "value": "v"}, {"name": "b", "valueBase64": "/w=="}],
        "valueBase64": "/w==",
    }


def test_without_from_beginning_only_what_comes_is_shown(moorage):
    moorage("topic", "produce", "t", stdin="old\n")
    with moorage.process("topic", "consume", "t", "--max-messages", "1", "--timeout", "60") as consuming:
        for number in range(1000):
            moorage("topic", "produce", "t", stdin=f"new {number}\n")
            if consuming.poll() is not None:
                break
        assert consuming.stdout.read().startswith(b"new ")
        assert consuming.wait(20) == 0


def test_the_key_is_a_field_that_must_be_there(moorage):
    moorage("topic", "produce", "t", "--key", "id", stdin=LINES)
    refused = moorage("topic", "produce", "t", "--key", "id", stdin='{"id": 1}\n\n{"x": 1}\n', code=1)
    assert refused.stderr == (
        "error: line 3 is no JSON object with a field 'id'; 1 messages before it were written\n"
    )
    assert (
        "line 1 is no JSON object"
        in moorage("topic", "produce", "t", "--key", "id", stdin="x\n", code=1).stderr
    )
    assert len(consume(moorage, "--timeout", "0", topic="t").stdout.splitlines()) == 3


def test_a_line_that_no_broker_would_take_is_refused(moorage):
    refused = moorage("topic", "produce", "t", stdin="ok\n" + "x" * 1_048_577, code=1)
    assert refused.stderr.startswith("error: line 2 has 1048577 bytes, more than 1048576; 1 messages")


def test_fewer_messages_than_asked_for_are_an_error(moorage):
    moorage("topic", "produce", "t", stdin="a\n")
    done = consume(moorage, "--max-messages", "2", "--timeout", "0", code=1, topic="t")
    assert done.stdout == "a\n"
    assert done.stderr == (
        f"error: {moorage.state}/streams/t has brought 1 of 2 messages, then nothing for 0 s\n"
    )
    assert consume(moorage, "--timeout", "0", topic="none").stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["consume", "a/b"], 2, "no name of a topic"),
        (["consume", ".."], 2, "no name of a topic"),
        (["consume", "t", "--max-messages", "0"], 2, "--max-messages"),
        (["consume", "t", "--kafka", "broker"], 2, "is not HOST:PORT"),
        (["consume", "t", "--kafka", "127.0.0.1:1"], 1, "kafka://127.0.0.1:1/t does not answer"),
        (["produce", "t", "--kafka", "127.0.0.1:1"], 1, "kafka://127.0.0.1:1/t does not answer"),
        (["produce", "t", "-f", "/nonexistent"], 2, "No such file"),
        (["produce", "t", "--auth-secret", "user"], 1, 'secrets "user" not found'),
    ],
)
def test_what_cannot_be_done(moorage, words, code, said):
    moorage.serving()
    assert said in moorage("topic", *words, code=code, stdin="x\n").stderr


def test_the_broker_of_up_is_the_default(moorage):
    (moorage.state / "run").mkdir(parents=True)
    (moorage.state / "run" / "up.json").write_text('{"kafka": "127.0.0.1:1"}')
    assert "kafka://127.0.0.1:1/t does not answer" in moorage("topic", "consume", "t", code=1).stderr


def test_a_folder_that_cannot_be_written_is_named(moorage):
    (moorage.state / "streams").write_text("")
    refused = moorage("topic", "produce", "t", stdin="x\n", code=1)
    assert refused.stderr == f"error: {moorage.state}/streams/t: cannot be written: Not a directory\n"
