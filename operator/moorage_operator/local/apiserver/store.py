"""The objects of local mode: one JSON file each, so that a person can read them and any process may write.

It does for files what the API server does for etcd: identity, versions, generations, status apart from spec,
garbage collection by owner. Writers hold one lock; readers need none, because a file is only ever replaced
whole. Finalizers mean nothing here: one process carries everything out, and it records before it deletes.
"""

import fcntl
import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from watchfiles import watch

from moorage_operator.local.apiserver.objects import (
    Key,
    Object,
    Objects,
    controller_of,
    in_order,
    key_of,
    namespace_of,
    timestamp,
)

Outcome = Literal["created", "configured", "unchanged"]

LOCAL_ANNOTATION = "moorage.dev/local-"
"""Annotations with this prefix are local mode's own notes; applying the object again keeps them."""
EVENT_LIFE = timedelta(hours=1)
_CLUSTER = "_cluster"
_OF_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


class StoreError(Exception):
    """The store cannot do it; the message names the object or the file at fault."""


class Conflict(StoreError):  # noqa: N818 - Kubernetes' word for it
    """A child's name is taken by somebody else's object, or its own owner is gone."""


class Store:
    """A folder of objects, safe across threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held = threading.local()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def apply(self, manifest: Object) -> Outcome:
        """Make the object what the manifest says; its status, identity and local annotations stay."""
        _, namespace, name = key = key_of(manifest)
        with self._locked():
            old = self.get(*key)
            new = _desired(manifest, namespace, name)
            if old is None:
                meta = new["metadata"]
                meta.update(uid=str(uuid.uuid4()), creationTimestamp=timestamp(_now()))
                if "spec" in new:
                    meta["generation"] = 1
                self._write(key, new)
                return "created"
            _carry_over(old, new)
            if _comparable(old) == _comparable(new):
                return "unchanged"
            if "generation" in new["metadata"] and _content(old) != _content(new):
                new["metadata"]["generation"] += 1
            self._write(key, new)
            return "configured"

    def put_owned(self, obj: Object) -> Outcome:
        """Apply a child; Conflict where its name is taken by another's object, or its owner is gone."""
        with self._locked():
            kind, _, name = key_of(obj)
            if not any(self._alive(owner, obj) for owner in obj["metadata"].get("ownerReferences") or []):
                raise Conflict(f'{kind} "{name}" is not made: its owner is gone')
            old = self.get(*key_of(obj))
            if old is not None and controller_of(old) != controller_of(obj):
                raise Conflict(
                    f'{kind} "{name}" exists and is controlled by {controller_of(old) or "nobody"}, '
                    f"not by {controller_of(obj) or 'nobody'}"
                )
            return self.apply(obj)

    def put_status(self, kind: str, namespace: str, name: str, status: Object) -> bool:
        """Replace the status; False where the object is gone or has this status already."""
        with self._locked():
            obj = self.get(kind, namespace, name)
            if obj is None or obj.get("status") == status:
                return False
            self._write((kind, namespace_of(kind, namespace), name), {**obj, "status": status})
            return True

    def annotate(self, kind: str, namespace: str, name: str, notes: dict[str, str | None]) -> bool:
        """Set annotations (None removes one); False where the object is gone or has them already."""
        with self._locked():
            obj = self.get(kind, namespace, name)
            if obj is None:
                return False
            old = obj["metadata"].get("annotations") or {}
            new = {key: value for key, value in {**old, **notes}.items() if value is not None}
            if new == old:
                return False
            obj["metadata"]["annotations"] = new
            self._write((kind, namespace_of(kind, namespace), name), obj)
            return True

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        try:
            path = self._path((kind, namespace_of(kind, namespace), name))
        except ValueError:
            return None
        return _read(path)

    def list(self, kind: str, namespace: str | None = None) -> Objects:
        """All objects of a kind in the namespace (None: in all), by namespace and name."""
        folder = self.root / kind
        if namespace is not None:
            folder = folder / (namespace_of(kind, namespace) or _CLUSTER)
        paths = sorted(folder.glob("*.json" if namespace is not None else "*/*.json"))
        return [obj for path in paths if (obj := _read(path)) is not None]

    def owned_by(self, uid: str, namespace: str | None = None) -> Objects:
        """Objects that name `uid` among their owners, in the namespace (None: in all)."""
        found = []
        for kind, in_namespace, name in sorted(_snapshot(self.root)):
            if namespace in (None, in_namespace):
                obj = self.get(kind, in_namespace, name)
                if obj is not None and uid in _owners(obj):
                    found.append(obj)
        return found

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Delete the object and all that have no other living owner; False where it was gone already."""
        with self._locked():
            obj = self.get(kind, namespace, name)
            if obj is None:
                return False
            for doomed in reversed(self._with_dependents(obj)):
                self._path(key_of(doomed)).unlink(missing_ok=True)
            return True

    def record_event(self, obj: Object, type_: str, reason: str, message: str) -> None:
        """Note what happened to an object (type Normal or Warning); a repeated event is counted."""
        kind, namespace, name = key_of(obj)
        uid = obj["metadata"].get("uid", "")
        digest = hashlib.sha256(repr((kind, uid, type_, reason, message)).encode()).hexdigest()[:16]
        key = ("Event", namespace or "default", f"{name}.{digest}")
        now = timestamp(_now())
        with self._locked():
            event = self.get(*key) or {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": key[2],
                    "namespace": key[1],
                    "uid": str(uuid.uuid4()),
                    "creationTimestamp": now,
                },
                "involvedObject": {
                    "apiVersion": obj.get("apiVersion", ""),
                    "kind": kind,
                    "namespace": namespace,
                    "name": name,
                    "uid": uid,
                },
                "type": type_,
                "reason": reason,
                "message": message,
                "source": {"component": "moorage"},
                "firstTimestamp": now,
                "count": 0,
            }
            event.update(count=event["count"] + 1, lastTimestamp=now)
            self._write(key, event)
            oldest = timestamp(_now() - EVENT_LIFE)
            for other in self.list("Event", key[1]):
                if other["lastTimestamp"] < oldest:
                    self._path(key_of(other)).unlink(missing_ok=True)

    def events(self, obj: Object) -> Objects:
        """What was recorded of this very object (its UID), oldest first."""
        _, namespace, _ = key_of(obj)
        uid = obj["metadata"].get("uid", "")
        found = [e for e in self.list("Event", namespace or "default") if e["involvedObject"]["uid"] == uid]
        return in_order(found)

    def changes(self, stop: threading.Event, idle_seconds: float = 0.5) -> Iterator[set[Key]]:
        """First the keys of all objects, then of each that was written or deleted, until `stop` is set.

        Compares folders, so nothing is missed between a reading and the watch, nor where the machine has no
        file notifications left. An empty set comes every `idle_seconds` without any change.
        """
        known = _snapshot(self.root)
        yield set(known)
        for _ in watch(
            self.root,
            stop_event=stop,
            watch_filter=None,
            debounce=100,
            step=10,
            rust_timeout=int(idle_seconds * 1000),
            yield_on_timeout=True,
        ):
            now = _snapshot(self.root)
            yield {key for key in known.keys() | now.keys() if known.get(key) != now.get(key)}
            known = now

    def _with_dependents(self, obj: Object) -> Objects:
        """The object and, owners first, everything that has no owner beside them."""
        doomed, uids = [obj], {obj["metadata"]["uid"]}
        for owner in doomed:
            uid = owner["metadata"]["uid"]
            for child in self.owned_by(uid, key_of(obj)[1] or None):
                others = [o for o in child["metadata"]["ownerReferences"] if o["uid"] not in uids]
                if child["metadata"]["uid"] not in uids and not any(self._alive(o, child) for o in others):
                    doomed.append(child)
                    uids.add(child["metadata"]["uid"])
        return doomed

    def _alive(self, reference: Object, child: Object) -> bool:
        owner = self.get(reference["kind"], child["metadata"].get("namespace", ""), reference["name"])
        return owner is not None and owner["metadata"]["uid"] == reference["uid"]

    def _path(self, key: Key) -> Path:
        kind, namespace, name = key
        for part in (kind, namespace or _CLUSTER, name):
            if not part or part.startswith(".") or "/" in part or "\0" in part or len(part) > 253:
                raise ValueError(f"{part!r} cannot be the name of an object, a kind or a namespace")
        return self.root / kind / (namespace or _CLUSTER) / f"{name}.json"

    def _write(self, key: Key, obj: Object) -> None:
        """Only under the lock."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        counter = self.root / ".version"
        version = int(counter.read_text() or 0) + 1 if counter.exists() else 1
        _replace(counter, str(version))
        obj["metadata"]["resourceVersion"] = str(version)
        _replace(path, json.dumps(obj, indent=2, ensure_ascii=False))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, among threads and processes; may be entered again by who is inside."""
        if getattr(self._held, "depth", 0):
            yield
            return
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._held.depth = 1
            try:
                yield
            finally:
                self._held.depth = 0


def _now() -> datetime:
    return datetime.now(UTC)


def _owners(obj: Object) -> set[str]:
    return {owner["uid"] for owner in obj["metadata"].get("ownerReferences") or []}


def _desired(manifest: Object, namespace: str, name: str) -> Object:
    new = deepcopy({field: value for field, value in manifest.items() if field != "status"})
    meta = {field: value for field, value in new["metadata"].items() if field not in _OF_SERVER}
    new["metadata"] = {**meta, "name": name, **({"namespace": namespace} if namespace else {})}
    return new


def _carry_over(old: Object, new: Object) -> None:
    meta, was = new["metadata"], old["metadata"]
    meta.update({field: was[field] for field in _OF_SERVER if field in was})
    notes = {k: v for k, v in (was.get("annotations") or {}).items() if k.startswith(LOCAL_ANNOTATION)}
    if notes:
        meta["annotations"] = {**notes, **(meta.get("annotations") or {})}
    if "status" in old:
        new["status"] = old["status"]


def _comparable(obj: Object) -> Object:
    meta = {field: value for field, value in obj["metadata"].items() if field not in _OF_SERVER and value}
    return {**obj, "metadata": meta}


def _content(obj: Object) -> Object:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status", "apiVersion")}


def _read(path: Path) -> Object | None:
    try:
        obj: Object = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise StoreError(f"{path} is damaged, remove it and apply the object again: {error}") from None
    return obj


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _snapshot(root: Path) -> dict[Key, tuple[int, int]]:
    """Every object's key, with what changes at each write of its file."""
    found: dict[Key, tuple[int, int]] = {}
    for path in root.glob("*/*/*.json"):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        namespace = path.parent.name
        key = (path.parent.parent.name, "" if namespace == _CLUSTER else namespace, path.name[:-5])
        found[key] = (stat.st_ino, stat.st_mtime_ns)
    return found
