"""The numbers of local mode, with what each is for."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage_operator.local.backoff import Backoff

CATALOGUE_IMAGES = "ghcr.io/moorage/runtime-"
"""How the images of the default catalogue begin; they mean this environment's `moorage-runtime`."""


def _this_environment() -> dict[str, tuple[str, ...]]:
    return {CATALOGUE_IMAGES: (sys.executable, "-m", "moorage_runtime")}


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds."""

    images: Mapping[str, tuple[str, ...]] = field(default_factory=_this_environment)
    """What an image means here, by the beginning of its name."""
    first_port: int = 8080
    """Services get this port of loopback or the next free one."""
    restart: Backoff = field(default_factory=lambda: Backoff(first=0.5, most=30.0))
    """Between the end of a process and its next start."""
    retry: Backoff = field(default_factory=lambda: Backoff(first=0.2, most=30.0))
    """Between failures of a reconcile."""
    config_retry: float = 5.0
    """A pod that lacks a Secret looks again this often, and at once when one is applied."""
    startup_period: float = 0.1
    """Readiness is asked this often until it is reached the first time."""
    probe_period: float = 1.0
    """Afterwards; a manifest's shorter period wins."""
    liveness_period: float = 10.0
    """Liveness is asked this often; a manifest's shorter period wins."""
    status_period: float = 2.0
    """The status document is read this often, and when readiness changes."""
