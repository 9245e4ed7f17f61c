"""How many processors this process may really use: a container's limit, not the machine's count.

Native libraries that start a thread per core of the machine are throttled under a CPU limit.
"""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = _CGROUP) -> int:
    """Whole processors, at least 1: the lesser of the affinity mask and the cgroup's quota (v2 or v1)."""
    available = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return available if quota is None else max(1, min(available, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1"):
        return None
    return int(limit) / int(period)
