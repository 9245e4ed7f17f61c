"""How good the answers are: numpy only, each figure equal to scikit-learn's of the same name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.config import MetricResult
from moorage_runtime.live_test.classes import Task, class_names, is_numeric, task_of

Names = NDArray[np.str_]
Floats = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
RELATIVE = 1e-6
ABSOLUTE = 1e-9
"""A number matches its label within RELATIVE of the label plus ABSOLUTE."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts by label (row) and prediction (column)."""

    names: list[str]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quality:
    """The answers judged: `correct` says for each answer whether it matches its label."""

    task: Task
    metrics: list[MetricResult]
    correct: NDArray[np.bool_]
    confusion: Confusion | None = None
    residuals: tuple[Floats, Floats] | None = None
    """Labels and predictions of a regression."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scores:
    """Class probabilities of the records at `records` of the sample: shape (records, classes)."""

    records: list[int]
    values: Floats


def judge(
    labels: Sequence[Any],
    predictions: Sequence[Any],
    classes: Sequence[Any],
    scores: Scores | None,
    sample: Sequence[Any],
) -> Quality:
    """Judge `predictions` against `labels`, one each; `classes` are the data set's distinct labels in order, and
    `sample` the labels that `scores` index. Raises ValueError where a number is needed and there is none.
    """
    if task_of(labels, predictions, scores=scores is not None) is Task.CLASSIFICATION:
        return _classification(labels, predictions, classes, scores, sample)
    return _regression(np.array(labels, np.float64), np.array(predictions, np.float64))


def _classification(
    labels: Sequence[Any],
    predictions: Sequence[Any],
    classes: Sequence[Any],
    scores: Scores | None,
    sample: Sequence[Any],
) -> Quality:
    numeric = is_numeric(labels) or is_numeric(predictions)
    truth, found = class_names(labels, numeric=numeric), class_names(predictions, numeric=numeric)
    known = list(dict.fromkeys(class_names(classes, numeric=numeric).tolist()))
    names = known + sorted(set(found.tolist()) - set(known))
    matrix = confusion(truth, found, names)
    metrics = [
        MetricResult(name="accuracy", value=float(np.mean(truth == found)), unit="ratio"),
        MetricResult(name="f1_macro", value=f1_macro(matrix), unit="ratio"),
    ]
    notes: list[str] = []
    if scores is not None:
        if scores.values.shape[1] != len(known):
            notes.append(
                f"log_loss and roc_auc are left out: the model has {scores.values.shape[1]} classes, "
                f"the data set's labels have {len(known)}"
            )
        else:
            wanted = class_names([sample[record] for record in scores.records], numeric=numeric)
            codes = np.array([known.index(name) for name in wanted])
            metrics.append(MetricResult(name="log_loss", value=log_loss(codes, scores.values), unit="nats"))
            area = roc_auc(codes, scores.values)
            if area is None:
                notes.append("roc_auc is left out: the sample lacks a class")
            else:
                metrics.append(MetricResult(name="roc_auc", value=area, unit="ratio"))
    return Quality(
        Task.CLASSIFICATION, metrics, truth == found, confusion=Confusion(names, matrix), notes=notes
    )


def _regression(truth: Floats, found: Floats) -> Quality:
    error = found - truth
    metrics = [
        MetricResult(name="mean_absolute_error", value=float(np.mean(np.abs(error)))),
        MetricResult(name="root_mean_squared_error", value=float(np.sqrt(np.mean(error**2)))),
    ]
    notes: list[str] = []
    if len(truth) < 2:
        notes.append("r2 is left out: it needs two records")
    else:
        metrics.append(MetricResult(name="r2", value=r2(truth, found), unit="ratio"))
    correct = np.isclose(found, truth, rtol=RELATIVE, atol=ABSOLUTE)
    return Quality(Task.REGRESSION, metrics, correct, residuals=(truth, found), notes=notes)


def confusion(truth: Names, found: Names, names: Sequence[str]) -> NDArray[np.int64]:
    """Counts of shape (classes, classes): row the label, column the prediction."""
    index = {name: position for position, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, ([index[name] for name in truth.tolist()], [index[name] for name in found.tolist()]), 1)
    return matrix


def f1_macro(matrix: NDArray[np.int64]) -> float:
    """Unweighted mean over the classes that occur on either side of 2·TP / (2·TP + FP + FN)."""
    hits = np.diag(matrix)
    total = matrix.sum(0) + matrix.sum(1)
    occurs = total > 0
    return float(np.mean(2 * hits[occurs] / total[occurs]))


def log_loss(codes: NDArray[np.int64], scores: Floats) -> float:
    """Mean negative ln p(label), rows brought to sum 1 and p kept off 0 and 1 by the machine epsilon."""
    p = np.clip(scores / scores.sum(1, keepdims=True), EPSILON, 1 - EPSILON)
    return float(-np.mean(np.log(p[np.arange(len(codes)), codes])))


def roc_auc(codes: NDArray[np.int64], scores: Floats) -> float | None:
    """Area under the ROC curve: of the second class where there are two, else the unweighted mean of one class
    against the rest. None where a class does not occur, or is the only one.
    """
    classes = scores.shape[1]
    present = set(codes.tolist())
    if classes < 2 or present != set(range(classes)):
        return None
    if classes == 2:
        return _area(codes == 1, scores[:, 1])
    return float(np.mean([_area(codes == code, scores[:, code]) for code in range(classes)]))


def _area(positive: NDArray[np.bool_], score: Floats) -> float:
    """The Mann-Whitney form: the share of (positive, negative) pairs in the right order, ties counted half."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ones = int(positive.sum())
    zeros = len(positive) - ones
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def r2(truth: Floats, found: Floats) -> float:
    """1 less residual / total sum of squares; for constant labels 1 where every answer is right, else 0."""
    residual = float(np.sum((truth - found) ** 2))
    total = float(np.sum((truth - truth.mean()) ** 2))
    if total == 0:
        return 1.0 if residual == 0 else 0.0
    return 1 - residual / total
