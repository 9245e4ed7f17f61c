"""One reconcile: read the resource and what it is about, plan, write children and status. Level-triggered."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from moorage_api import catalogue as defaults
from moorage_operator.local import children
from moorage_operator.local.apiserver.objects import Key, controller_of, key_of
from moorage_operator.local.apiserver.store import Conflict
from moorage_operator.local.controllers.workloads import Workloads
from moorage_operator.local.kubelet.addresses import locate_address
from moorage_operator.local.kubelet.node import Node
from moorage_operator.plan import KINDS, Catalogue, Object, Observed, Plan, Ref

RUNTIME_KINDS = ("ModelRuntime", "ClusterModelRuntime")


class Reconciler:
    """Carries out the plans of all kinds."""

    def __init__(self, node: Node, workloads: Workloads, announce: Callable[[Object, Object], None]) -> None:
        self._node = node
        self._workloads = workloads
        self._announce = announce
        self._defaults = defaults.load()
        self._references: dict[Key, frozenset[Key]] = {}
        self._ignored: set[str] = set()

    def sync(self, key: Key) -> float | None:
        """Bring one resource closer to its plan; seconds after which to look again."""
        resource = self._node.store.get(*key)
        if resource is None:
            self._references.pop(key, None)
            return None
        kind = KINDS[key[0]]
        references = kind.references(resource)
        self._references[key] = frozenset((ref.kind, ref.namespace, ref.name) for ref in references)
        owned = self._owned(resource)
        observed = Observed(
            owned=tuple(owned),
            referenced={ref: found for ref in references if (found := self._referenced(ref)) is not None},
            reports=tuple(self._workloads.reports(owned)),
            now=datetime.now(UTC),
        )
        plan = self._plan(resource, observed)
        self._say_ignored(children.ignored(plan))
        for child in children.wanted(plan):
            self._write(child)
        for superfluous in children.superfluous(plan, owned):
            self._node.store.delete(*superfluous)
            self._node.changed(superfluous)
        self._put_status(key, resource, plan.status)
        return plan.requeue_seconds

    def referrers(self, key: Key) -> Iterable[Key]:
        """Resources whose plans read the object of this key."""
        if key[0] in RUNTIME_KINDS:
            return list(self._references)
        return [referrer for referrer, read in self._references.items() if key in read]

    def _plan(self, resource: Object, observed: Observed) -> Plan:
        """The plan, told of objects of others that have a planned child's name."""
        kind, catalogue = KINDS[resource["kind"]], self._catalogue()
        plan = kind.plan(resource, catalogue, observed)
        uid = resource["metadata"]["uid"]
        there = [self._node.store.get(*key_of(child)) for child in children.wanted(plan)]
        foreign = tuple(each for each in there if each is not None and children.is_foreign(each, uid))
        if not foreign:
            return plan
        told = Observed(observed.owned, foreign, observed.referenced, observed.reports, observed.now)
        return kind.plan(resource, catalogue, told)

    def _catalogue(self) -> Catalogue:
        own = [found for kind in RUNTIME_KINDS for found in self._node.store.list(kind)]
        named = {key_of(found) for found in own}
        return Catalogue.of([*own, *(each for each in self._defaults if key_of(each) not in named)])

    def _owned(self, resource: Object) -> list[Object]:
        _, namespace, _ = key_of(resource)
        uid = resource["metadata"]["uid"]
        return [
            found
            for kind in children.KINDS
            for found in self._node.store.list(kind, namespace)
            if controller_of(found) == uid
        ]

    def _referenced(self, ref: Ref) -> Object | None:
        return self._node.store.get(ref.kind, ref.namespace, ref.name)

    def _write(self, child: Object) -> None:
        key = key_of(child)
        existing = self._node.store.get(*key)
        try:
            outcome = self._node.store.put_owned(children.merged(child, existing))
        except Conflict:
            return  # the resource itself is gone, or the next plan is told of the name's owner
        if outcome != "unchanged":
            self._node.changed(key)

    def _put_status(self, key: Key, resource: Object, status: Object) -> None:
        """Write the status, with addresses as they are on this machine, and say what is new in it."""
        places = self._node.places(key[1])
        status = dict(status)
        if url := status.get("url"):
            status["url"] = locate_address(url, places)
        if address := status.get("address"):
            status["address"] = {**address, "url": locate_address(address["url"], places)}
        if self._node.store.put_status(*key, status):
            self._announce(resource, status)
            self._node.changed(key)

    def _say_ignored(self, kinds: set[str]) -> None:
        if new := kinds - self._ignored:
            self._ignored |= new
            self._node.say(f"ignored on one machine: {', '.join(sorted(new))}")
