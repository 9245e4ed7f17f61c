"""The reference: cells, their edges, counting of rows, and what is kept of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.drift.judging.histogram import histogram
from moorage_runtime.drift.reference.binning import CategoricalColumn, NumericColumn
from moorage_runtime.drift.reference.pane import Pane
from moorage_runtime.drift.reference.summary import Reference, ReferenceError  # noqa: A004 - its public name
from moorage_runtime.drift.types import Block, Column

RNG = np.random.default_rng(11)


def block(features: dict[str, Column], predictions: dict[str, Column] | None = None, start: int = 0) -> Block:
    rows = len(next(iter((features | (predictions or {})).values())))
    none = np.zeros(0, np.int64)
    times = np.arange(start, start + rows, dtype=np.int64)
    offsets = np.zeros(rows, np.int64)
    return Block("p0", 0, 1, offsets, times, [], none, none, none, features, predictions or {})


def summarise(categorical: str = "", *, mlrun: bool = False, **features: Column) -> Reference:
    return Reference.summarise(features, {}, categorical=lambda name: name == categorical, mlrun=mlrun)


def counts(reference: Reference, **features: Column) -> list[int]:
    rows = block(features)
    return reference.pane(reference.encode(rows), 0, rows.rows).counts.tolist()


def text(*values: str | None) -> Column:
    return np.array(values, dtype=object)


def test_bins_hold_a_twentieth_of_the_reference_each() -> None:
    reference = summarise(x=RNG.permutation(np.arange(1000.0)))
    column = reference.columns[0]
    assert isinstance(column, NumericColumn)
    assert column.counts.tolist() == [0, *[50] * 20, 0, 0]


def test_the_least_and_the_greatest_value_are_inside_and_all_beyond_them_outside() -> None:
    reference = summarise(x=np.linspace(-1, 1, 400))
    least, greatest = -1.0, 1.0
    found = counts(
        reference, x=np.array([least, greatest, np.nextafter(least, -9), np.nextafter(greatest, 9)])
    )
    assert found == [1, 1, *[0] * 18, 1, 1, 0]
    assert counts(reference, x=np.array([-np.inf, np.inf, np.nan, 5e9])) == [1, *[0] * 20, 2, 1]


@pytest.mark.parametrize(
    "values",
    [
        np.full(200, 2.5),
        np.repeat([0.5, 1.5], 100),
        np.concatenate((np.zeros(150), np.linspace(0.1, 3, 50))),
        np.concatenate((np.full(180, np.nan), np.linspace(0, 1, 20))),
        np.concatenate(([np.inf, -np.inf], np.linspace(-1.7, 1.7, 198) * 1e308)),
        np.full(200, np.nan),
        np.concatenate((np.full(100, -np.finfo(np.float64).max), np.linspace(0.1, 0.9, 100))),
    ],
    ids=["constant", "two values", "ties", "mostly missing", "infinite", "all missing", "extreme"],
)
@pytest.mark.parametrize("mlrun", [False, True])
def test_the_reference_counted_as_a_window_gives_its_own_counts(values: Column, mlrun: bool) -> None:
    reference = summarise(x=values, mlrun=mlrun)
    column = reference.columns[0]
    assert isinstance(column, NumericColumn)
    assert counts(reference, x=RNG.permutation(values))[: column.cells] == column.counts.tolist()
    assert len(np.unique(column.bounds[1:])) == len(column.bounds[1:])


def test_few_whole_numbers_are_categories_but_measures_are_not() -> None:
    whole = RNG.integers(0, 20, 500).astype(float)
    reference = summarise(
        codes=whole,
        zero_one=whole % 2,
        fractions=whole / 2,
        counts=np.arange(500.0),
        gaps=np.full(500, np.nan),
    )
    kinds = {column.name: type(column) for column in reference.columns}
    assert kinds == {
        "codes": CategoricalColumn,
        "zero_one": CategoricalColumn,
        "fractions": NumericColumn,
        "counts": NumericColumn,
        "gaps": NumericColumn,
    }


def test_a_named_column_is_categorical_whatever_it_holds() -> None:
    reference = summarise("size", size=np.repeat([1.5, 2.0, 40.0], 100), x=np.repeat([1.5, 2.0, 40.0], 100))
    column = reference.columns[0]
    assert isinstance(column, CategoricalColumn)
    assert sorted(column.levels) == ["1.5", "2", "40"]
    assert isinstance(reference.columns[1], NumericColumn)


def test_levels_other_and_missing() -> None:
    reference = summarise(species=text(*["a"] * 120, *["b"] * 60, *[None] * 20))
    column = reference.columns[0]
    assert column.labels() == ["a", "b", "(other)", "(missing)"]
    assert column.counts.tolist() == [120, 60, 0, 20]
    assert counts(reference, species=text("b", "new", "b", None, "a")) == [1, 2, 1, 1]


def test_a_number_and_its_text_are_the_same_level() -> None:
    reference = summarise("x", x=np.repeat([3.0, 0.5, -1.0], 50))
    expected = dict.fromkeys(["3", "0.5", "-1"], 1)
    labels = reference.columns[0].labels()
    for rows in (np.array([3.0, 0.5, -1.0, 7.0, np.nan]), text("3", "0.5", "-1", "seven", None)):
        found = dict(zip(labels, counts(reference, x=rows), strict=True))
        assert found == {**expected, "(other)": 1, "(missing)": 1}


def test_text_among_numbers_is_counted_and_missing() -> None:
    reference = summarise(x=np.linspace(0, 1, 200))
    found = counts(reference, x=text("0.5", "many", None, "1e400"))
    assert found[-1] == 2
    assert found[-2] == 1
    assert reference.skipped["bad_value"] == 1


def test_absent_and_unknown_features_are_counted_by_row() -> None:
    reference = summarise(x=np.linspace(0, 1, 200), y=text(*"ab" * 100))
    rows = block({"y": text("a", "b", "b"), "z": np.zeros(3), "id": np.zeros(3)})
    pane = reference.pane(reference.encode(rows, watched=lambda name: name != "id"), 0, 3)
    assert reference.skipped == Counter(missing_feature=3, unknown_feature=3)
    labels, known, current = histogram(reference, pane, "x")
    assert (labels[-1], known[-1], current[-1]) == ("(missing)", 0, 1)


def test_a_feature_and_a_prediction_may_have_the_same_name() -> None:
    reference = Reference.summarise(
        {"x": np.linspace(0, 1, 200)}, {"x": text(*"ab" * 100)}, categorical=lambda _: False, mlrun=False
    )
    rows = block({"x": np.array([0.5, 0.5])}, {"x": text("b", "b")})
    pane = reference.pane(reference.encode(rows), 0, 2)
    assert histogram(reference, pane, "x", "prediction")[2].tolist() == [0, 1, 0, 0]
    assert len(histogram(reference, pane, "x")[0]) == 23
    with pytest.raises(KeyError, match="no column 'y'"):
        histogram(reference, pane, "y")


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"x": np.zeros(99)}, "99 rows; 20 bins of 5 need at least 100"),
        ({}, "none of the watched features"),
        ({"x": np.zeros(200), "y": np.zeros(150)}, "'y' has 150 rows, others have 200"),
    ],
)
def test_an_unusable_reference_says_what_is_needed(features: dict[str, Column], said: str) -> None:
    with pytest.raises(ReferenceError, match=said):
        summarise(**features)


def test_json_round_trip_keeps_every_count_and_is_small() -> None:
    ids = text(*(f"customer-{i:012}" for i in range(10_000)))
    reference = summarise(
        "k",
        mlrun=True,
        x=np.exp(RNG.standard_normal(10_000)),
        k=RNG.integers(0, 5000, 10_000).astype(float),
        ids=ids,
        long=text(*(chr(0) * 100 + str(i % 300) for i in range(10_000))),
        gaps=np.full(10_000, np.nan),
    )
    data = reference.to_json()
    again = Reference.from_json(data)
    assert again.to_json() == data
    assert len(data) < 20_000 * len(reference.columns)
    for column in reference.columns:
        alone = Reference([column], reference.rows)
        assert len(alone.to_json()) < 20_000
    rows = {"x": RNG.standard_normal(500), "k": RNG.integers(0, 5000, 500).astype(float), "ids": ids[:500]}
    assert counts(again, **rows) == counts(reference, **rows)


@pytest.mark.parametrize(
    "data", [b"{}", b"nothing", b'{"format": 99, "rows": 1, "columns": []}', b'{"format": 1}']
)
def test_a_damaged_reference_is_refused(data: bytes) -> None:
    with pytest.raises(ReferenceError, match=r"damaged|format 99"):
        Reference.from_json(data)


MIXED = summarise(
    mlrun=True,
    x=RNG.standard_normal(300),
    code=RNG.integers(0, 5, 300).astype(float),
    word=RNG.choice(np.array(["a", "b", "c", None], dtype=object), 300),
)
ROWS = st.lists(
    st.tuples(
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, 1.0, 4.0, 9.0, float("nan")]),
        st.sampled_from(["a", "b", "z", None]),
    ),
    min_size=1,
    max_size=40,
)


@given(rows=ROWS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_panes_of_parts_add_up_to_the_pane_of_all(
    rows: list[tuple[float, float, str | None]], data: st.DataObject
) -> None:
    x, code, word = zip(*rows, strict=True)
    codes = MIXED.encode(block({"x": np.array(x), "code": np.array(code), "word": text(*word)}, start=7))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    parts = [MIXED.pane(codes, a, b) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    whole = MIXED.pane(codes, 0, len(rows))
    for order in (parts, parts[::-1]):
        total = sum(order, MIXED.empty())
        assert total.snapshot() == whole.snapshot()
    assert (whole.rows, whole.first_time, whole.last_time) == (len(rows), 7, 6 + len(rows))
    for start, column in zip(MIXED.starts, MIXED.columns, strict=False):
        assert whole.counts[start : start + column.cells].sum() == len(rows)
    assert Pane.restore(whole.snapshot()).snapshot() == whole.snapshot()
