"""Figures of a status: what the API takes, and near enough to the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from moorage_api.shared import Decimal
from moorage_operator.plan import figures

CONTRACT = TypeAdapter(Decimal)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e99, max_value=1e99))
def test_every_number_of_a_report_can_be_written(value):
    assert float(CONTRACT.validate_python(figures.decimal(value))) == pytest.approx(
        value, rel=1e-3, abs=1e-99
    )


@given(st.floats(min_value=0, max_value=1e15))
def test_a_rate_is_written_without_an_exponent(value):
    written = CONTRACT.validate_python(figures.plain(value))
    assert "e" not in written
    assert float(written) == pytest.approx(value, rel=0.051, abs=0.006)


@given(st.integers(0, 10**15))
def test_a_count_keeps_two_digits(count):
    shown = figures.rounded(count)
    assert shown == count if count < 100 else shown == pytest.approx(count, rel=0.051)
    assert len(str(shown).rstrip("0")) <= 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(value):
    assert figures.decimal(value) is figures.plain(value) is None
