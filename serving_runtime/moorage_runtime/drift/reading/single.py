"""The fast way through native messages of one row each, as a server writes them that answers one request at a time.

The tails of many messages of the same columns, one a line and cut at brackets, are a table: between two cells that are
always the same is one value. Arrow's CSV reader makes columns of it without an object per value, and simdjson says
whether all of it was JSON. A tail that is not exactly of this form refuses its whole batch.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import simdjson
from numpy.typing import NDArray

from moorage_runtime.drift.reading.rows import MOST, Part, Requests
from moorage_runtime.drift.types import Column

SINGLE = b'"rows":[1],"first_row":['
"""Hint that a tail is of one request of one row, where it stands near its begin."""
NEAR = 512
MISSING = b"-2.2250738585072014e-307"
"""Stands for null among numbers, where it does not occur itself."""
MISSING_VALUE = float(MISSING)
REFUSED = (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError, RuntimeError)
_REQUESTS = ("id", "time_us", "latency_us", "rows", "first_row", "operation")
_TEXTS = (0, 5)
_END = b",\n0]"
"""Makes the rows an array of JSON; only its comma is part of the table."""
_BRACKETS = bytes.maketrans(b"]", b"[")
_PARSE = pyarrow.csv.ParseOptions(
    delimiter="[", quote_char=False, double_quote=False, ignore_empty_lines=False
)
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Described:
    """A column of values that are numbers or, `text`, strings."""

    name: str
    text: bool


@dataclass(frozen=True, slots=True)
class Template:
    """What messages of the same columns share behind their heads."""

    features: tuple[Described, ...]
    predictions: tuple[Described, ...]
    between: tuple[bytes, ...]
    """What stands before the value of each array and behind the last one's: those of the request's id, time, latency,
    rows, first row and operation, then of the features and the predictions."""
    cells: list[str]
    """Names of what is between and of the values, in turn."""
    convert: Any
    """How Arrow reads the cells."""
    numbers: bool
    """Whether no column is text."""


def template(features: Sequence[Described], predictions: Sequence[Described]) -> Template | None:
    """None where their names, or that there are none, make messages of another form."""
    names = [one.name for one in (*features, *predictions)]
    unique = len({one.name for one in features}) + len({one.name for one in predictions})
    if not features or not predictions or unique < len(names):
        return None
    if any(orjson.dumps(name) != b'"%b"' % name.encode() for name in names):
        return None
    groups = (_REQUESTS, [one.name for one in features], [one.name for one in predictions])
    held = [b",".join(b'"%b":[]' % name.encode() for name in group) for group in groups]
    text = b'{"requests":{%b},"features":{%b},"predictions":{%b}},' % tuple(held)
    between = text.translate(_BRACKETS).split(b"[[")
    if len(between) != len(_REQUESTS) + len(names) + 1 or any(b"[" in one for one in between):
        return None
    types = {f"b{at}": pa.binary(len(one)) for at, one in enumerate(between)}
    texts = {*_TEXTS, *(at for at, one in enumerate((*features, *predictions), len(_REQUESTS)) if one.text)}
    types |= {
        f"v{at}": pa.string() if at in texts else pa.float64() for at in range(len(_REQUESTS) + len(names))
    }
    convert = pyarrow.csv.ConvertOptions(
        column_types=types, null_values=["null"], strings_can_be_null=False, check_utf8=False
    )
    plain = texts == {*_TEXTS}
    cells = [f"{kind}{at}" for at in range(len(between)) for kind in "bv"][:-1]
    return Template(tuple(features), tuple(predictions), tuple(between), cells, convert, plain)


def part_of_singles(
    template: Template, tails: Sequence[bytes], offsets: Sequence[int], versions: Sequence[str | None]
) -> Part | None:
    """The rows of tails of one row each; None where one of them is anything else."""
    count = len(tails)
    try:
        values = _values(template, tails)
    except REFUSED:
        return None
    if values is None:
        return None
    ids, times, latencies, rows, first_rows = values[:5]
    whole = np.array((times, latencies, rows, first_rows), dtype=np.float64)
    if not whole_numbers(whole) or (whole[2] != 1).any():
        return None
    placed = np.array(offsets, dtype=np.int64)
    times, latencies, ones, first_rows = whole.astype(np.int64)
    requests = Requests(placed, ids, times, latencies, ones, first_rows, list(versions))
    columns = values[len(_REQUESTS) :]
    split = len(template.features)
    return Part(
        requests,
        {one.name: held for one, held in zip(template.features, columns[:split], strict=True)},
        {one.name: held for one, held in zip(template.predictions, columns[split:], strict=True)},
        count,
    )


def _values(template: Template, tails: Sequence[bytes]) -> list[Any] | None:
    """One entry per array: the ids and operations, and the columns. Raises REFUSED."""
    count, between = len(tails), template.between
    text = b"[{" + b",\n{".join(tails) + _END
    if b"\\" in text:
        return None
    # not kept: the parser's one document
    parser().parse(text)
    table = pyarrow.csv.read_csv(
        pa.BufferReader(pa.py_buffer(text.translate(_BRACKETS)).slice(1, len(text) - len(_END))),
        pyarrow.csv.ReadOptions(use_threads=False, column_names=template.cells, block_size=len(text)),
        _PARSE,
        template.convert,
    )
    if table.num_rows != count:
        return None
    columns = table.to_batches()[0].columns
    for one, held in zip(between, columns[::2], strict=True):
        if held.buffers()[1].to_pybytes() != one * count:
            return None
    described = (*template.features, *template.predictions)
    texts = [at in _TEXTS for at in range(len(_REQUESTS))] + [one.text for one in described]
    values: list[Any] = []
    for at, (held, is_text) in enumerate(zip(columns[1::2], texts, strict=True)):
        if not is_text:
            values.append(held.to_numpy(zero_copy_only=False))
            continue
        strings = _strings(held.to_pylist())
        if strings is None:
            return None
        values.append(strings if at < len(_REQUESTS) else _objects(strings))
    return values


def _strings(cells: Sequence[str]) -> list[str] | None:
    """Values of cells that are each one string of JSON without an escape."""
    text = "\n".join(cells)
    if text[:1] != '"' or text[-1:] != '"' or text.count('"') != 2 * len(cells):
        return None
    values = text[1:-1].split('"\n"')
    return values if len(values) == len(cells) else None


def _objects(values: Sequence[str]) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def parser() -> Any:
    """This thread's parser: its buffers are large, and it refuses to parse while a document of its own is held."""
    held = getattr(_local, "parser", None)
    if held is None:
        held = _local.parser = simdjson.Parser()
    return held


def whole_numbers(values: NDArray[np.float64]) -> bool:
    """Whether all are times, lengths or indices that a double holds exactly."""
    return bool(((values >= 0) & (values < MOST) & (np.floor(values) == values)).all())
