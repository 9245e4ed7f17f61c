"""A feature before and now, for people: what a figure of a drifted feature shows."""

import numpy as np

from moorage_runtime.drift.reference.binning import Floats
from moorage_runtime.drift.reference.pane import Pane
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Role


def histogram(
    reference: Reference, pane: Pane, name: str, role: Role | None = None
) -> tuple[list[str], Floats, Floats]:
    """Labels of a column's cells, the reference's shares and the pane's; each of shape (cells,).

    Without a role a feature of that name is meant before a prediction. Raises KeyError where there is neither.
    """
    roles: tuple[Role, ...] = (role,) if role else ("feature", "prediction")
    for one in roles:
        index = reference.position(name, one)
        if index is not None:
            column, start = reference.columns[index], reference.starts[index]
            counts = pane.counts[start : start + column.cells]
            known = column.counts / max(1, column.counts.sum())
            return column.labels(), np.asarray(known), np.asarray(counts / max(1, pane.rows))
    raise KeyError(f"The reference has no column {name!r}.")
