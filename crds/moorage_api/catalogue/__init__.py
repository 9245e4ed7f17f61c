"""What works out of the box: the default ClusterModelRuntime objects, one YAML file each.

The chart's objects and local mode's catalogue are the same files.
"""

from importlib.resources import files
from typing import Any

import yaml


def load() -> list[dict[str, Any]]:
    """The default ClusterModelRuntime objects, by name."""
    sources = [file for file in files(__name__).iterdir() if file.name.endswith(".yaml")]
    objects = [yaml.safe_load(source.read_text(encoding="utf-8")) for source in sources]
    return sorted(objects, key=lambda runtime: str(runtime["metadata"]["name"]))
