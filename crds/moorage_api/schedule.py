"""Cron schedules as Kubernetes' CronJob takes them, for every kind that has one."""

import re
from typing import Annotated, Any

from pydantic import Field

from moorage_api.base import Rule

Schedule = Annotated[str, Field(max_length=128, pattern=r"^[-0-9A-Za-z*/,?]+( +[-0-9A-Za-z*/,?]+){4}$")]
"""Cron expression of five fields."""
TimeZone = Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")]
"""IANA name."""


def _field(value: str) -> str:
    """A field of a cron expression: a list of *, values and ranges, each with a step or without."""
    part = rf"([*?]|{value}(-{value})?)(/0*[1-9][0-9]?)?"
    return f"{part}(,{part})*"


_CRON = " +".join(
    map(
        _field,
        (
            "[0-5]?[0-9]",
            "([01]?[0-9]|2[0-3])",
            "(0?[1-9]|[12][0-9]|3[01])",
            "(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)",
            "([0-6]|SUN|MON|TUE|WED|THU|FRI|SAT)",
        ),
    )
)
"""What Kubernetes' CronJob takes, in capitals."""


def _is_cron(holder: Any) -> bool:
    return holder.schedule is None or bool(re.fullmatch(_CRON, holder.schedule.upper()))


RULE = Rule(
    f"!has(self.schedule) || self.schedule.upperAscii().matches(r'^{_CRON}$')",
    _is_cron,
    "must be minute (0-59), hour (0-23), day (1-31), month (1-12 or JAN-DEC) and weekday (0-6 or SUN-SAT)",
    "schedule",
)
"""Of a type that has a `schedule`: the values are within their bounds."""
