"""The tester's figures are scikit-learn's figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from moorage_runtime.live_test.classes import Task, task_of
from moorage_runtime.live_test.metrics import Quality, Scores, judge


def figures(quality: Quality) -> dict[str, float]:
    return {metric.name: metric.value for metric in quality.metrics}


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60),
    text=st.booleans(),
)
def test_classification_equals_sklearn(pairs, text):
    labels, found = ([str(v) if text else v for v in side] for side in zip(*pairs, strict=True))
    quality = judge(labels, found, sorted(set(labels)), None, labels)
    assert quality.task is Task.CLASSIFICATION
    assert figures(quality)["accuracy"] == pytest.approx(reference.accuracy_score(labels, found))
    assert figures(quality)["f1_macro"] == pytest.approx(reference.f1_score(labels, found, average="macro"))
    names = quality.confusion.names
    if len(names) == 1:  # scikit-learn warns of it
        assert quality.confusion.counts.tolist() == [[len(labels)]]
        return
    expected = reference.confusion_matrix([str(v) for v in labels], [str(v) for v in found], labels=names)
    assert quality.confusion.counts.tolist() == expected.tolist()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 5), coarse=st.booleans())
def test_scores_equal_sklearn(seed, classes, coarse):
    rng = np.random.default_rng(seed)
    labels = [*range(classes), *rng.integers(0, classes, 30).tolist()]
    scores = rng.dirichlet(np.ones(classes), len(labels))
    if coarse:  # ties
        scores = np.round(scores, 1) + 0.1
        scores /= scores.sum(1, keepdims=True)
    quality = judge(
        labels, scores.argmax(1).tolist(), range(classes), Scores(list(range(len(labels))), scores), labels
    )
    got = figures(quality)
    assert got["log_loss"] == pytest.approx(reference.log_loss(labels, scores, labels=range(classes)))
    ours = scores[:, 1] if classes == 2 else scores
    assert got["roc_auc"] == pytest.approx(reference.roc_auc_score(labels, ours, multi_class="ovr"))


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32)), min_size=2, max_size=60
    )
)
def test_regression_equals_sklearn(pairs):
    pairs = [(label + 0.5, found + 0.25) for label, found in pairs] + [(0.125, 0.75)]
    labels, found = zip(*pairs, strict=True)
    quality = judge(labels, found, (), None, labels)
    assert quality.task is Task.REGRESSION
    got = figures(quality)
    assert got["mean_absolute_error"] == pytest.approx(reference.mean_absolute_error(labels, found))
    assert got["root_mean_squared_error"] == pytest.approx(reference.root_mean_squared_error(labels, found))
    assert got["r2"] == pytest.approx(reference.r2_score(labels, found), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0, 1, 2], ["0", "1", "2"]),
        (["0", "1", "2"], [0, 1, 2]),
        ([0.0, 1.0, 2.0], [0, 1, 2]),
        (["0.0", "1.0", "2.0"], [0, 1, 2]),
        ([True, False, True], [1, 0, 1]),
        (["True", "false", "TRUE"], [1, 0, 1]),
        (["true", "false", "true"], [True, False, True]),
        (["setosa", "virginica"], ["setosa", "virginica"]),
    ],
)
def test_the_same_class_in_two_spellings_matches(labels, found):
    quality = judge(labels, found, sorted(set(labels)), None, labels)
    assert quality.task is Task.CLASSIFICATION
    assert quality.correct.all()


def test_different_classes_do_not_match_for_being_written_alike():
    assert judge(["1", "2"], ["01", "2"], ["1", "2"], None, []).correct.tolist() == [False, True]
    assert judge([1, 2], ["one", "2"], [1, 2], None, []).correct.tolist() == [False, True]


@pytest.mark.parametrize(
    ("labels", "found", "scores", "task"),
    [
        ([1.5, 2.0], [1.5, 2.0], False, Task.REGRESSION),
        ([1, 2, 3], [1.2, 2.1, 3.3], False, Task.REGRESSION),
        ([0, 1], [0, 1], False, Task.CLASSIFICATION),
        ([0.0, 1.0], [0.0, 1.0], False, Task.CLASSIFICATION),
        ([float(v) for v in range(30)], [float(v) for v in range(30)], False, Task.REGRESSION),
        ([0.5, 1.5], [0.5, 1.5], True, Task.CLASSIFICATION),
    ],
)
def test_the_task_follows_from_labels_and_answers(labels, found, scores, task):
    assert task_of(labels, found, scores=scores) is task


def test_a_regression_matches_within_rounding_only():
    quality = judge([1e6 + 0.5, 2.5, 0.5], [1e6 + 0.6, 2.5000001, 0.6], (), None, [])
    assert quality.correct.tolist() == [True, True, False]


def test_scores_of_other_classes_than_the_labels_are_left_out_with_a_note():
    scores = Scores([0, 1], np.full((2, 3), 1 / 3))
    quality = judge([0, 1], [0, 1], [0, 1], scores, [0, 1])
    assert set(figures(quality)) == {"accuracy", "f1_macro"}
    assert "the model has 3 classes" in quality.notes[0]


def test_constant_labels_have_a_finite_r2():
    assert figures(judge([2.5, 2.5], [2.5, 2.5], (), None, []))["r2"] == 1
    assert figures(judge([2.5, 2.5], [2.5, 2.6], (), None, []))["r2"] == 0
