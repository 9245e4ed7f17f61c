"""Cutting, the run's id, and the plan's document."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.plan import Fragment, Plan, cut_row_groups, run_id
from moorage_runtime.config import BatchPredictConfig
from moorage_runtime.storage import FileInfo

LIMITS = Limits(fragment_rows=100, slice_rows=150)
FILES = [FileInfo("s3://b/a.parquet", 10, "x"), FileInfo("s3://b/b.parquet", 20, "y")]


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_every_row_is_in_exactly_one_fragment_in_order(groups):
    rows = []
    for begin, end, skip, count in cut_row_groups(groups, LIMITS):
        assert skip == 0 or end == begin + 1
        flat = [(number, row) for number in range(begin, end) for row in range(groups[number])]
        rows += flat[skip : skip + count]
        assert 0 < count <= 2 * LIMITS.slice_rows
    assert rows == [(number, row) for number, count in enumerate(groups) for row in range(count)]


def test_small_row_groups_are_joined_and_large_ones_cut():
    assert cut_row_groups([40, 40, 40, 120, 400, 10], LIMITS) == [
        (0, 2, 0, 80),
        (2, 3, 0, 40),
        (3, 4, 0, 120),
        (4, 5, 0, 150),
        (4, 5, 150, 150),
        (4, 5, 300, 100),
        (5, 6, 0, 10),
    ]
    assert cut_row_groups([], LIMITS) == []


def config(**changes):
    document = {
        "revision": "r1",
        "model": {"name": "iris", "uri": "/m", "framework": "sklearn"},
        "input": {"uri": "s3://b/"},
        "outputUri": "s3://b/out",
    }
    return BatchPredictConfig.model_validate({**document, **changes})


def test_the_run_id_follows_spec_input_and_model_only():
    base = run_id(config(), FILES, "d1")
    assert base == run_id(config(parallelism=5, managementPort=1), FILES, "d1")
    moved = config(model={"name": "iris", "uri": "/elsewhere", "framework": "sklearn"})
    assert base == run_id(moved, FILES, "d1")
    others = [
        run_id(config(), FILES, "d2"),
        run_id(config(), FILES[:1], "d1"),
        run_id(config(), [FILES[0], FileInfo("s3://b/b.parquet", 20, "z")], "d1"),
        run_id(config(revision="r2"), FILES, "d1"),
        run_id(config(keep=["id"]), FILES, "d1"),
    ]
    assert len({base, *others}) == 6


def test_a_plan_is_read_as_it_was_written():
    schema = pa.schema([("a", pa.float64()), ("b", pa.list_(pa.float32(), 3))])
    plan = Plan("r", "parquet", tuple(FILES), (Fragment(0, 1, 2, 3, 0, 50),), schema, schema, schema)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.to_json() == Plan.from_json(plan.to_json()).to_json()
    with pytest.raises(ValueError, match="version 7"):
        Plan.from_json(b'{"version":7}')
