"""Sizes of the worker's steps: what bounds its memory, and how much a kill costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows and bytes; a fragment is what is done or not done as a whole."""

    fragment_rows: int = 250_000
    """Small row groups of Parquet are joined up to this."""
    slice_rows: int = 1_000_000
    """A row group of more than twice as many is cut."""
    fragment_bytes: int = 32 << 20
    """Of CSV and NDJSON."""
    batch_rows: int = 65_536
    """Predicted by one call …"""
    batch_bytes: int = 4 << 20
    """… fewer where rows are wide."""
    block_bytes: int = 4 << 20
    """Of text that is parsed by one call."""
    group_rows: int = 131_072
    """Rows of an output's row group …"""
    group_bytes: int = 8 << 20
    """… unless these many bytes are reached before."""
    prebuffer_bytes: int = 16 << 20
    """A row group whose needed columns are smaller is read at once; otherwise piece by piece."""
    plan_wait_seconds: float = 900
    """How long the other workers wait for the first one's plan."""
