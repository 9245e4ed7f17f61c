"""The times of a cron expression. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


class BadSchedule(ValueError):  # noqa: N818 - what is bad is the user's
    """The schedule or time zone cannot be read; `field` is schedule or timeZone."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def times(schedule: str, time_zone: str | None, since: datetime, *, reverse: bool = False) -> CronSim:
    """The times after `since` (before it with `reverse`), nearest first; UTC without a zone. Raises BadSchedule."""
    zone = time_zone or "Etc/UTC"
    try:
        here = since.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSchedule("timeZone", f"there is no time zone {zone!r}") from error
    try:
        return CronSim(schedule.replace("?", "*"), here, reverse=reverse)
    except CronSimError as error:
        raise BadSchedule("schedule", f"{schedule!r} is not a cron expression: {error}") from error


def check(schedule: str, time_zone: str | None) -> None:
    """Raises BadSchedule where there is no such time."""
    times(schedule, time_zone, datetime.now(UTC))
