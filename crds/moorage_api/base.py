"""The base of every API type: camelCase in YAML, snake_case in Python, unknown fields ignored.

An older Moorage must read objects of a newer API, so unknown fields never fail here. The API server
prunes them and local mode refuses them (`moorage_api.crd.unknown_fields`).
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )
