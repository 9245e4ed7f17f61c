"""CSV and NDJSON: a bad value costs its row, and rows keep their places."""

import io
import json

import pyarrow as pa
import pytest

from moorage_runtime.batch_predict import csv_rows, json_rows
from moorage_runtime.batch_predict.fault import BatchFault

SCHEMA = pa.schema([("a", pa.float64()), ("n", pa.int64()), ("s", pa.string())])
NAMES = ["s", "a", "n"]


def joined(found):
    columns = {name: [] for name in SCHEMA.names}
    errors, count = {}, 0
    for rows in found:
        assert all(len(values) == rows.count for values in rows.columns.values())
        for name, values in rows.columns.items():
            columns[name] += values.to_pylist()
        errors |= {row + count: text for row, text in rows.errors.items()}
        count += rows.count
    return columns, errors


def test_a_clean_block_of_csv_is_typed():
    columns, errors = joined(csv_rows.block(b'x,1.5,2\n"y, z",,3\n', NAMES, SCHEMA, "f"))
    assert columns == {"a": [1.5, None], "n": [2, 3], "s": ["x", "y, z"]}
    assert not errors


@pytest.mark.parametrize("step", [10, 25, 1 << 20])
def test_bad_lines_and_values_of_csv_keep_their_places(step):
    lines = ["x, 1.5 ,2", "y,oops,3", "z,1", "w,2.5,4", "a,b,c,d", "v,nan,5", "u,3,6.5", "t,1e3,7", "end"]
    data = "\n".join(lines).encode()
    schema = pa.schema([("a", pa.float64()), ("n", pa.int64()), ("s", pa.string())])
    columns, errors = joined(csv_rows.stream(io.BytesIO(data), NAMES, schema, "f", step))
    assert columns["s"] == ["x", "y", None, "w", None, "v", "u", "t", None]
    assert columns["a"] == [1.5, None, None, 2.5, None, None, 3, 1000, None]
    assert columns["n"] == [2, 3, None, 4, None, 5, None, 7, None]
    assert errors == {
        1: "column 'a': 'oops' is no double",
        2: "the line has 2 values, the header 3",
        4: "the line has 4 values, the header 3",
        6: "column 'n': '6.5' is no int64",
        8: "the line has 1 values, the header 3",
    }


def test_only_bad_lines():
    columns, errors = joined(csv_rows.stream(io.BytesIO(b"1\n2\n"), NAMES, SCHEMA, "f", 100))
    assert columns["a"] == [None, None]
    assert set(errors) == {0, 1}


def test_the_clean_and_the_careful_way_read_the_same_numbers():
    values = [0.1, 1 / 3, 1e-310, 2.5e300, -0.0, 123456789.123456789, 5e-324]
    clean = "".join(f"x,{value!r},1\n" for value in values).encode()
    fast, _ = joined(csv_rows.block(clean, NAMES, SCHEMA, "f"))
    slow, errors = joined(csv_rows.block(clean + b"x,oops,1\n", NAMES, SCHEMA, "f"))
    assert [v.hex() for v in fast["a"]] == [v.hex() for v in slow["a"][:-1]] == [v.hex() for v in values]
    assert list(errors) == [len(values)]


def test_headers():
    assert csv_rows.header('\ufeffa,"b,c"\r\n'.encode(), "f") == ["a", "b,c"]
    with pytest.raises(BatchFault, match="f: column 'a' is there twice"):
        csv_rows.header(b"a,b,a\n", "f")
    with pytest.raises(BatchFault, match="f: the header is no UTF-8"):
        csv_rows.header(b"\xff\n", "f")


def test_bad_lines_and_values_of_json_keep_their_places():
    good = [{"a": 0.1, "n": 1, "s": "x", "more": [1]}, {"s": "y"}, {"a": 3, "n": None, "s": None}]
    clean = "\n".join(map(json.dumps, good)).encode()
    fast, errors = joined(json_rows.block(clean, SCHEMA))
    assert fast == {"a": [0.1, None, 3.0], "n": [1, None, None], "s": ["x", "y", None]}
    assert not errors
    bad = b'\n\n{"a": "1"}\n[1]\nnot json\n{"n": 1.5}\n{"n": 9999999999999999999999}\n{"s": 4, "a": 7}'
    slow, errors = joined(json_rows.block(clean + bad, SCHEMA))
    assert {name: values[:3] for name, values in slow.items()} == fast
    assert slow["a"][3:] == [None, None, None, None, None, 7.0]
    assert sorted(errors) == [3, 4, 5, 6, 7, 8]
    assert errors[3] == "column 'a': '1' is no double"
    assert errors[4] == "the line is no JSON object"
    assert errors[5].startswith("the line is no JSON: ")
    assert errors[6] == "column 'n': '1.5' is no int64"
