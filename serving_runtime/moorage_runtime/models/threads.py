"""Native thread pools follow the container's CPU limit, not the machine's cores."""

import os

from threadpoolctl import threadpool_limits

from moorage_runtime.models.cpu import cpu_limit

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def limit_threads() -> None:
    """Bound the pools that are loaded, and by the environment those that come with a model; a user's value wins."""
    limit = cpu_limit()
    if "OMP_NUM_THREADS" not in os.environ:
        threadpool_limits(limit)
    for name in _VARIABLES:
        os.environ.setdefault(name, str(limit))
