"""Where text is cut: never within a record, whatever the quotes."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_runtime.batch_predict import cuts
from moorage_runtime.batch_predict.cuts import newlines, pieces, records

VALUE = st.text(alphabet='a",\n\r ', max_size=6)
TABLE = st.lists(st.lists(VALUE, min_size=2, max_size=2), max_size=20)


def written(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def parsed(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.fixture(params=[3, 7, 1 << 20], autouse=True, scope="module")
def scan(request):
    before, cuts._SCAN = cuts._SCAN, request.param
    yield
    cuts._SCAN = before


@given(TABLE, st.integers(1, 40))
def test_ranges_of_csv_hold_whole_records(rows, step):
    data = b"x,y\n" + written(rows)
    found = records(io.BytesIO(data), 4, len(data), step)
    assert found is not None
    assert [cut.begin for cut in found] == [4, *(cut.end for cut in found)][: len(found)]
    assert not rows or found[-1].end == len(data)
    joined = [row for cut in found for row in parsed(data[cut.begin : cut.end])]
    assert joined == parsed(data[4:])
    assert sum(cut.lines for cut in found) == len(rows)


@given(TABLE, st.integers(1, 40))
def test_pieces_hold_whole_records(rows, step):
    data = written(rows)
    found = list(pieces(io.BytesIO(data + b"beyond"), len(data), step, quotes=True))
    assert b"".join(found) == data
    assert [row for piece in found for row in parsed(piece)] == parsed(data)


@pytest.mark.parametrize("line", [b'5" pipe,1', b'"a"b,1', b'a,"b"c', b'a "quoted" word,1'])
def test_a_quote_out_of_place_keeps_the_file_whole(line):
    data = b"1,2\n" * 5 + line + b"\n" + b"1,2\n" * 5
    assert records(io.BytesIO(data), 0, len(data), 4) is None


@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    st.integers(1, 50),
)
def test_ranges_of_lines(lines, step):
    data = b"\n".join(lines)
    found = newlines(io.BytesIO(data), 0, len(data), step)
    assert b"".join(data[begin:end] for begin, end in found) == data
    assert all(data[end - 1 : end] == b"\n" for _, end in found[:-1])
