"""ModelRuntime and ClusterModelRuntime: the catalogue of images that serve models."""

from typing import Annotated, Literal

from pydantic import Field

from moorage_api.base import ApiEnum, ApiModel, ListMap, ListSet
from moorage_api.pod import EnvVar
from moorage_api.shared import ObjectMeta


class Role(ApiEnum):
    """A subcommand of the runtime."""

    SERVE = "serve"
    STREAM = "stream"
    BATCH = "batch"
    TEST = "test"
    DRIFT = "drift"


class SupportedFramework(ApiModel):
    """A framework and the versions of it that the image reads."""

    name: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the framework."""
    versions: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+){0,3}$")]],
        Field(max_length=32),
        ListSet(),
    ] = []
    """Dotted prefixes, quoted; none means any version."""


class ModelRuntimeSpec(ApiModel):
    """An image and what it can do."""

    roles: Annotated[list[Role], Field(min_length=1, max_length=8), ListSet()] = [Role.SERVE]
    """Subcommands that the image has."""
    frameworks: Annotated[list[SupportedFramework], Field(max_length=64), ListMap("name")] = []
    """What it can load."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Among equally exact matches the higher one wins."""
    auto_select: bool = True
    """Whether it may be chosen without being named."""
    image: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\s]+$")]
    """The image of the pods."""
    command: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=64)] | None = None
    """Replaces the image's entry point; a custom image only has to speak the Open Inference Protocol."""
    env: Annotated[list[EnvVar], Field(max_length=128), ListMap("name")] | None = None
    """Environment of every pod."""


class ModelRuntime(ApiModel):
    """An image that serves models, for one namespace (ModelRuntime) or all (ClusterModelRuntime)."""

    kind: Literal["ModelRuntime", "ClusterModelRuntime"] = "ModelRuntime"
    """Which of the two."""
    metadata: ObjectMeta
    """Name and namespace."""
    spec: ModelRuntimeSpec
    """An image and what it can do."""
