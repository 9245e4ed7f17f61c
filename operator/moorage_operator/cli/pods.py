"""The pods behind what a person names."""

from collections.abc import Sequence

import click

from moorage_operator.cli.failure import NotFound
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.selection import targets
from moorage_operator.local.apiserver.objects import Object
from moorage_operator.local.apiserver.store import Store


def resolve(store: Store, namespace: str, words: Sequence[str], kinds: Sequence[str]) -> Object:
    """The one object that `KIND/NAME` or `KIND NAME` means, or a bare NAME: of the first of `kinds` that has it.

    Raises NotFound, and UsageError where the words mean more than one object.
    """
    if len(words) == 1 and "/" not in words[0]:
        for kind in kinds:
            if found := store.get(kind, namespace, words[0]):
                return found
        raise NotFound(" or ".join(kind.lower() for kind in kinds), words[0])
    wanted = targets(words)
    if len(wanted) != 1 or wanted[0].name is None:
        raise click.UsageError("name one object: NAME, KIND/NAME or KIND NAME")
    return Fetch(store, namespace)(wanted[0])[0]


def pods_of(store: Store, obj: Object) -> list[Object]:
    """The pod itself, or those that the object's children made, oldest first."""
    if obj["kind"] == "Pod":
        return [obj]
    namespace = obj["metadata"].get("namespace", "default")
    owners, found = {obj["metadata"].get("uid")}, []
    for kind in ("CronJob", "Deployment", "Job", "Pod"):
        for child in store.list(kind, namespace):
            if owners & {owner["uid"] for owner in child["metadata"].get("ownerReferences") or ()}:
                owners.add(child["metadata"]["uid"])
                if kind == "Pod":
                    found.append(child)
    return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
