"""What the manifest says about a model's columns, beside what the artifact says; contradictions are LoadErrors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moorage_runtime.config import ModelConfig, TensorConfig
from moorage_runtime.models.base import LoadError, Tensor
from moorage_runtime.models.signature import tensors
from moorage_runtime.models.types import api_name


def features(
    config: ModelConfig, names: Sequence[str] | None, count: int | None
) -> tuple[Tensor, ...] | None:
    """The manifest's features, checked against the artifact's names or count; None where it lists none."""
    if config.features is None:
        return None
    listed = convert(config.features, "features")
    count = len(names) if names is not None else count
    if count is not None and count != len(listed):
        raise LoadError(f"schema.features lists {len(listed)} features, the artifact has {count}")
    for place, (given, name) in enumerate(zip(listed, names or (), strict=False)):
        if given.name != name:
            raise LoadError(
                f"schema.features[{place}] is {given.name!r}, the artifact's feature {place} is {name!r}"
            )
    return listed


@dataclass(frozen=True, slots=True)
class Named:
    """An output as it is served, and the model's own name for it."""

    tensor: Tensor
    own: str


def outputs(config: ModelConfig, own: tuple[Tensor, ...]) -> tuple[tuple[Named, ...], tuple[str, ...]]:
    """The outputs that are served, and those computed by default.

    The manifest names outputs in the model's order, the prediction first; what it lists is computed by default.
    An output that it renames can still be asked for by the model's own name (`predict`), so that clients and
    tests need not know the manifest.
    """
    if not config.outputs:
        return tuple(Named(tensor, tensor.name) for tensor in own), (own[0].name,)
    listed = convert(config.outputs, "outputs")
    if len(listed) > len(own):
        raise LoadError(
            f"schema.outputs lists {len(listed)} outputs, the model has {len(own)}: "
            + ", ".join(tensor.name for tensor in own)
        )
    renamed, kept = [], list(own[len(listed) :])
    for place, (given, real) in enumerate(zip(listed, own, strict=False)):
        if (given.dtype.kind == "O") != (real.dtype.kind == "O"):
            raise LoadError(
                f"schema.outputs[{place}] {given.name!r} is {api_name(given.dtype)}, "
                f"the model's is {api_name(real.dtype)}"
            )
        if given.name != real.name and given.name in {tensor.name for tensor in own}:
            raise LoadError(
                f"schema.outputs[{place}] {given.name!r} is the name of another output of the model"
            )
        renamed.append(Named(Tensor(given.name, real.dtype, real.shape), real.name))
        if given.name != real.name:
            kept.append(real)
    served = (*renamed, *(Named(tensor, tensor.name) for tensor in kept))
    return served, tuple(output.tensor.name for output in renamed)


def convert(configs: Sequence[TensorConfig], what: str) -> tuple[Tensor, ...]:
    """As tensors; LoadError for an unknown type or a name that is given twice."""
    try:
        listed = tensors(configs)
    except ValueError as error:
        raise LoadError(f"schema.{what}: {error}") from None
    if len({tensor.name for tensor in listed}) != len(listed):
        raise LoadError(f"schema.{what} gives two columns the same name")
    return listed


def matrix_type(listed: Sequence[Tensor]) -> np.dtype[Any] | None:
    """The type of one matrix for all features: their common type, or None where some are text or no scalars."""
    if any(tensor.dtype.kind == "O" or tensor.shape for tensor in listed):
        return None
    kinds = {tensor.dtype for tensor in listed}
    return kinds.pop() if len(kinds) == 1 else np.dtype(np.float64)
