"""How conditions keep their times, and that whatever stands in a status can be read."""

from datetime import UTC, datetime

import pytest

from moorage_api.conditions import ConditionType, Reason
from moorage_operator.plan import conditions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ready(message="", previous=None, now=NOW):
    statements = conditions.kstatus(conditions.ready(Reason.RECONCILED, message))
    return conditions.stamped(statements, previous, 2, now)


def test_a_new_message_is_no_transition():
    before = ready("one")
    after = ready("two", before, datetime(2027, 1, 1, tzinfo=UTC))
    assert [each["lastTransitionTime"] for each in after] == ["2026-01-01T00:00:00Z"] * 3
    assert after[0]["message"] == "two"


@pytest.mark.parametrize(
    "previous", [None, "text", [None, 3, {}, {"type": 1}], [{"type": "Ready", "status": "True"}]]
)
def test_a_status_of_another_shape_is_passed_over(previous):
    assert ready(previous=previous)[0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("status", [None, 3, {}, {"conditions": None}, {"conditions": [None, {"type": "X"}]}])
def test_a_condition_that_is_not_there_is_none(status):
    assert conditions.find(status, ConditionType.READY) is None


def test_messages_are_bounded():
    assert len(ready("x" * 5000)[0]["message"]) == 1024


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01T01:00:00+01:00", NOW),
        ("2026-01-01", NOW),
        ("soon", None),
        (None, None),
    ],
)
def test_times_are_read_or_are_none(text, expected):
    assert conditions.parsed(text) == expected
