"""The sample: deterministic, and every label with its row."""

import math
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.config import DatasetConfig
from moorage_runtime.live_test.dataset import draw, plain
from moorage_runtime.live_test.fault import TestFault


def config(**more):
    return DatasetConfig(uri="data.csv", label_column="label", **more)


@settings(deadline=None)
@given(
    size=st.integers(1, 200),
    rows=st.none() | st.integers(1, 250),
    seed=st.integers(0, 2**32 - 1),
    gaps=st.sets(st.integers(0, 199)),
)
def test_a_label_stays_with_its_row(size, rows, seed, gaps):
    labels = [None if row in gaps and row else row * 10 for row in range(size)]
    columns = {"a": list(range(size)), "label": labels, "b": [f"row {row}" for row in range(size)]}
    sample = draw(columns, config(rows=rows, seed=seed))
    assert sample.labels == [row * 10 for row in sample.rows]
    assert sample.columns["a"] == sample.rows
    assert sample.columns["b"] == [f"row {row}" for row in sample.rows]
    usable = sum(label is not None for label in labels)
    assert len(set(sample.rows)) == len(sample) == min(rows or usable, usable)
    assert sample.unlabelled == size - usable
    assert sample.classes == [label for label in labels if label is not None]


def test_the_seed_decides_alone():
    columns = {"a": list(range(50)), "label": list(range(50))}
    first, again, other = (draw(columns, config(rows=20, seed=seed)).rows for seed in (7, 7, 8))
    assert first == again != other
    assert first != sorted(first)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [], "label": []}, "data.csv is empty"),
        ({"a": [1.0], "label": [math.nan]}, "has no label in column 'label'"),
        ({"label": [1]}, "no column beside the label"),
    ],
)
def test_a_useless_data_set_is_named(columns, message):
    with pytest.raises(TestFault, match=message):
        draw(columns, config())


def test_cells_become_what_json_can_say():
    assert [plain(Decimal("1.5")), plain(b"x"), plain(date(2026, 1, 2)), plain([b"y"])] == [
        1.5,
        "x",
        "2026-01-02",
        ["y"],
    ]
