"""Good manifests, and a table of bad ones that every step of the validation ladder must refuse."""

import copy
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]

_SERVING = """
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {name: iris}
spec:
  models:
    - name: iris
      uri: s3://models/iris/v3
      framework: {name: sklearn, version: "1"}
"""
_TEST = """
apiVersion: moorage.dev/v1alpha1
kind: ModelTest
metadata: {name: iris-live}
spec:
  servingRef: {name: iris}
  dataset: {uri: s3://data/iris.parquet, labelColumn: species}
"""
_RUNTIME = """
apiVersion: moorage.dev/v1alpha1
kind: ModelRuntime
metadata: {name: ours}
spec: {image: "example.com/ours:1"}
"""
_DRIFT = """
apiVersion: moorage.dev/v1alpha1
kind: DriftMonitor
metadata: {name: iris-drift}
spec:
  servingRef: {name: iris}
  reference: {uri: s3://data/iris-train.parquet}
  window: {rows: 1000}
  checkpoint: {uri: s3://drift/iris}
"""
_BATCH = """
apiVersion: moorage.dev/v1alpha1
kind: BatchPrediction
metadata: {name: iris-all}
spec:
  servingRef: {name: iris}
  input: {uri: s3://data/iris-all.parquet}
  output: {uri: s3://predictions/iris}
"""
_BASES = {
    "ModelServing": _SERVING,
    "ModelTest": _TEST,
    "DriftMonitor": _DRIFT,
    "BatchPrediction": _BATCH,
    "ModelRuntime": _RUNTIME,
    "ClusterModelRuntime": _RUNTIME.replace("ModelRuntime", "ClusterModelRuntime"),
}


@dataclass(frozen=True)
class Bad:
    """A manifest with one mistake, and the field that must be named."""

    name: str
    manifest: Object
    field: str
    says: str
    """Part of the local message."""
    only: str | None
    """`server` or `local` where the other cannot see the mistake."""


def minimal(kind: str) -> Object:
    """The smallest good manifest of a kind."""
    manifest: Object = yaml.safe_load(_BASES[kind])
    return manifest


def full(kind: str) -> list[Object]:
    """Good manifests that use every field of the spec between them."""
    manifests = yaml.safe_load_all((Path(__file__).parent / "full.yaml").read_text())
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def examples() -> list[tuple[str, str]]:
    """Every manifest of the repository's examples as (file, YAML text)."""
    return [
        (str(file.relative_to(ROOT)), document)
        for file in sorted(ROOT.glob("examples/*/manifests/*.yaml"))
        for document in re.split(r"^---\s*$", file.read_text(), flags=re.MULTILINE)
        if yaml.safe_load(document)
    ]


def bad_manifests() -> list[Bad]:
    """The table of bad.yaml."""
    table = yaml.safe_load((Path(__file__).parent / "bad.yaml").read_text())
    return [_bad(kind, row) for kind, rows in table.items() for row in rows]


def _bad(kind: str, row: Object) -> Bad:
    manifest = minimal(kind)
    for path, value in row.get("put", {}).items():
        put(manifest, path, copy.deepcopy(value))
    for path in row.get("drop", []):
        put(manifest, path, None)
    return Bad(f"{kind}: {row['bad']}", manifest, row["field"], row.get("says", ""), row.get("only"))


def put(manifest: Object, path: str, value: Any) -> None:
    """Set (or with None remove) the field at a path like spec.models[0].uri."""
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    node: Any = manifest
    for step, following in itertools.pairwise(steps):
        if isinstance(step, str) and step not in node:
            node[step] = [] if isinstance(following, int) else {}
        node = node[step]
    last = steps[-1]
    if value is None:
        del node[last]
    elif isinstance(last, int) and last == len(node):
        node.append(value)
    else:
        node[last] = value
