"""States by windows running, and who is at fault."""

import json

import pytest

from moorage_runtime.config import DecisionConfig, DriftState
from moorage_runtime.drift.judging.decision import Decisions, aspect, at_fault, worst
from moorage_runtime.drift.judging.judge import Judged
from moorage_runtime.drift.types import Role

NONE, POSSIBLE, DETECTED, UNKNOWN = (
    DriftState.NONE,
    DriftState.POSSIBLE,
    DriftState.DETECTED,
    DriftState.UNKNOWN,
)


def judged(
    effect: float, *, name: str = "x", role: Role = "feature", enough: bool = True, significant: bool = True
) -> Judged:
    return Judged(name, role, 500, enough, 0.001, effect, significant and enough, {"tvd": effect})


def states(windows: list[Judged], **config: float) -> list[DriftState]:
    decisions = Decisions(DecisionConfig.model_validate(config))
    return [decisions.step([window])[0].state for window in windows]


def test_possible_at_once_and_detected_when_windows_running_agree() -> None:
    assert states([judged(0.3)] * 4, consecutive_windows=3) == [POSSIBLE, POSSIBLE, DETECTED, DETECTED]
    assert states([judged(0.3)], consecutive_windows=1) == [DETECTED]


def test_one_quiet_window_ends_it() -> None:
    quiet = judged(0.3, significant=False)
    assert states([judged(0.3), quiet, judged(0.3), judged(0.3), quiet]) == [
        POSSIBLE,
        NONE,
        POSSIBLE,
        DETECTED,
        NONE,
    ]


def test_a_significant_trifle_is_no_drift() -> None:
    assert states([judged(0.0999), judged(0.1)], minimum_effect=0.1) == [NONE, POSSIBLE]


def test_a_window_with_too_few_rows_says_nothing() -> None:
    few = judged(0.9, enough=False)
    assert states([few, judged(0.3), few, judged(0.3), few]) == [
        UNKNOWN,
        POSSIBLE,
        POSSIBLE,
        DETECTED,
        DETECTED,
    ]


def test_states_go_on_after_a_restart() -> None:
    config = DecisionConfig()
    before = Decisions(config)
    before.step([judged(0.3), judged(0.0, name="y"), judged(0.3, role="prediction")])
    after = Decisions(config)
    after.restore(json.loads(json.dumps(before.snapshot())))
    window = [judged(0.3), judged(0.2, name="y"), judged(0.0, role="prediction")]
    assert [score.state for score in after.step(window)] == [DETECTED, POSSIBLE, NONE]
    assert after.snapshot() != before.snapshot()


def test_names_at_fault_are_those_of_the_worst_state_the_strongest_first() -> None:
    decisions = Decisions(DecisionConfig())
    decisions.step([judged(0.3, name="a"), judged(0.3, name="b"), judged(0.3, name="c", significant=False)])
    scores = decisions.step(
        [
            judged(0.3, name="a"),
            judged(0.4, name="b"),
            judged(0.9, name="c"),
            judged(0.0, name="answer", role="prediction"),
        ]
    )
    assert aspect(scores, "feature") == DETECTED
    assert at_fault(scores, "feature") == ("b", "a")
    assert aspect(scores, "prediction") == NONE
    assert at_fault(scores, "prediction") == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], UNKNOWN), ([UNKNOWN, NONE], NONE), ([NONE, POSSIBLE], POSSIBLE), ([DETECTED, POSSIBLE], DETECTED)],
)
def test_worst_state(given: list[DriftState], expected: DriftState) -> None:
    assert worst(given) == expected
