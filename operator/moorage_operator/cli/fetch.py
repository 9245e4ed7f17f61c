"""Reading from the store what a person named, with what exists in local mode without being applied."""

from collections.abc import Callable

from moorage_api import catalogue
from moorage_operator.cli.failure import NotFound
from moorage_operator.cli.selection import Target
from moorage_operator.local.apiserver.objects import Object, in_order
from moorage_operator.local.apiserver.store import Store


class Fetch:
    """Objects of a namespace (None: of all) that fit a label selector."""

    def __init__(
        self, store: Store, namespace: str | None, fits: Callable[[Object], bool] = lambda _: True
    ) -> None:
        self._store, self._namespace, self._fits = store, namespace, fits

    def __call__(self, target: Target) -> list[Object]:
        """The objects that fit, or the one that is named; NotFound where that does not exist."""
        kind, name = target.resource.kind, target.name
        if name is None:
            return [obj for obj in self._all(kind) if self._fits(obj)]
        obj = self._store.get(kind, self._namespace or "default", name)
        obj = obj or next((one for one in self._given(kind) if one["metadata"]["name"] == name), None)
        if obj is None:
            raise NotFound(target.resource.qualified, name)
        return [obj]

    def _all(self, kind: str) -> list[Object]:
        stored = self._store.list(kind, self._namespace)
        if kind == "Event":
            return in_order(stored)
        names = {obj["metadata"]["name"] for obj in stored}
        given = [obj for obj in self._given(kind) if obj["metadata"]["name"] not in names]
        return sorted([*given, *stored], key=lambda obj: _place(obj["metadata"])) if given else stored

    def _given(self, kind: str) -> list[Object]:
        """The default catalogue, and the namespaces that anything is in."""
        if kind == "Namespace":
            used = {path.parent.name for path in self._store.root.glob("*/[!_]*/*.json")}
            return [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                for name in sorted({"default", *used})
            ]
        return catalogue.load() if kind == "ClusterModelRuntime" else []


def _place(meta: Object) -> tuple[str, str]:
    return meta.get("namespace", ""), meta["name"]
