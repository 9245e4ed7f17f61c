"""Detectors agree with the published vectors and, change by change, with river."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from river.drift import binary

from moorage_runtime.drift.concept.detectors import DETECTORS, ParameterError, Zone, make

RIVER = {
    "DDM": binary.DDM,
    "EDDM": binary.EDDM,
    "PageHinkley": drift.PageHinkley,
    "ADWIN": drift.ADWIN,
}


def places(kind, errors, zone=Zone.CHANGE, **parameters):
    return [at for at, found in enumerate(make(kind, parameters).update(errors)) if found is zone]


def numbers_then_greater():
    rng = random.Random(12345)
    return rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)


def half_then_more_ones():
    rng = random.Random(42)
    return rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])


@pytest.mark.parametrize(
    ("kind", "stream", "parameters", "changes"),
    [
        ("ADWIN", numbers_then_greater, {}, [1023]),
        ("PageHinkley", numbers_then_greater, {}, [1006]),
        ("DDM", half_then_more_ones, {}, [1334]),
        ("EDDM", half_then_more_ones, {"alpha": 0.8, "beta": 0.75}, [1278]),
        ("ADWIN", half_then_more_ones, {}, [1279]),
        ("PageHinkley", half_then_more_ones, {}, [1233]),
    ],
)
def test_published_vectors(kind, stream, parameters, changes):
    assert places(kind, stream(), **parameters) == changes


def test_ddm_warns_before_it_finds_a_change():
    assert places("DDM", half_then_more_ones(), Zone.WARNING)[0] == 1084


def steps(seed):
    """A stream of 0 and 1 whose probability changes twice."""
    rng = np.random.default_rng(seed)
    lengths, shares = rng.integers(200, 2000, 3), rng.random(3)
    parts = [rng.random(length) < share for length, share in zip(lengths, shares, strict=True)]
    return np.concatenate(parts).astype(int).tolist()


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_change_and_warning_is_where_river_has_it(kind):
    for seed in range(25):
        errors = steps(seed)
        theirs, changes, warnings = RIVER[kind](), [], []
        for at, error in enumerate(errors):
            theirs.update(error)
            if theirs.drift_detected:
                changes.append(at)
            elif getattr(theirs, "warning_detected", False):
                warnings.append(at)
        assert places(kind, errors) == changes
        assert places(kind, errors, Zone.WARNING) == warnings


@pytest.mark.parametrize("base", [500, 2_000, 10_000])
def test_ddm_finds_a_change_late_streams_or_not(base):
    rng = np.random.default_rng(5)
    errors = np.r_[rng.random(base) < 0.1, rng.random(1000) < 0.4].astype(int).tolist()
    first = next(at for at in places("DDM", errors) if at >= base)
    assert first - base < 250


@pytest.mark.parametrize("kind", DETECTORS)
@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 1200), seed=st.integers(0, 50))
def test_a_state_goes_through_json_and_on_as_if_nothing_had_been(kind, cut, seed):
    errors = steps(seed)[:1200]
    before, whole = make(kind, {}), make(kind, {})
    found = before.update(errors[:cut])
    after = make(kind, {}).restore(json.loads(json.dumps(before.state())))
    assert found + after.update(errors[cut:]) == whole.update(errors)
    assert after.state() == whole.state()


def test_page_hinkley_and_adwin_watch_numbers():
    rng = np.random.default_rng(3)
    errors = np.abs(np.r_[rng.normal(0, 1, 2000), rng.normal(0, 3, 1000)]).tolist()
    for kind in ("PageHinkley", "ADWIN"):
        assert [at >= 2000 for at in places(kind, errors)][:1] == [True]


@pytest.mark.parametrize(
    ("kind", "parameters", "told"),
    [
        ("DDM", {"warmstart": 3}, "no parameter warmstart; it has warm_start"),
        ("DDM", {"warmStart": "30"}, "warmStart of DDM cannot be '30'"),
        ("DDM", {"warmStart": 2.5}, "must be a whole number"),
        ("DDM", {"driftThreshold": 1}, "drift_threshold must not be below"),
        ("EDDM", {"alpha": 0.5}, "alpha must not be below beta"),
        ("PageHinkley", {"mode": "sideways"}, "mode must be one of up, down, both"),
        ("ADWIN", {"delta": 2}, "delta must be between 0 and 1"),
        ("ADWIN", {"clock": True}, "clock of ADWIN cannot be True"),
    ],
)
def test_a_wrong_parameter_is_named(kind, parameters, told):
    with pytest.raises(ParameterError, match=told):
        make(kind, parameters)
