"""A Service's place on this machine: a port of loopback that stays the same as long as the Service exists.

The processes themselves listen on it with SO_REUSEPORT once they are ready, so nothing stands between client
and model. We hold the port bound (never listening) to keep other programs off it while nobody is ready.
"""

import socket

from moorage_operator.local.apiserver.store import Store
from moorage_operator.local.kubelet.addresses import LOOPBACK
from moorage_operator.plan.types import Object

ADDRESS = "moorage.dev/local-address"
"""Annotation of a Service: HOST:PORT on this machine."""
_LAST_PORT = 65535

Key = tuple[str, str]


class Services:
    """The local ports of all Services."""

    def __init__(self, store: Store, first_port: int) -> None:
        self._store = store
        self._first_port = first_port
        self._held: dict[Key, socket.socket] = {}

    def ensure(self, namespace: str) -> None:
        """Give every Service of the namespace its port, and free those of Services that are gone."""
        found = {
            (namespace, each["metadata"]["name"]): each for each in self._store.list("Service", namespace)
        }
        for key in [key for key in self._held if key[0] == namespace and key not in found]:
            self._held.pop(key).close()
        for key, service in found.items():
            if key not in self._held:
                self._held[key] = self._hold(_noted_port(service))
                notes: dict[str, str | None] = {ADDRESS: f"{LOOPBACK}:{self._port(key)}"}
                self._store.annotate("Service", *key, notes)

    def ports(self, namespace: str) -> dict[Key, dict[int, int]]:
        """{(namespace, name): {port of the Service: port of loopback}} of all, the namespace's made sure of."""
        self.ensure(namespace)
        return {
            (each["metadata"]["namespace"], each["metadata"]["name"]): {
                int(port["port"]): local for port in each["spec"].get("ports", [])
            }
            for each in self._store.list("Service")
            if (local := _noted_port(each))
        }

    def port_for(self, namespace: str, labels: Object) -> int | None:
        """The port of the Service that selects pods of these labels."""
        self.ensure(namespace)
        for key in sorted(self._held):
            service = self._store.get("Service", *key) if key[0] == namespace else None
            selector = service["spec"].get("selector") if service else None
            if selector and selector.items() <= labels.items():
                return self._port(key)
        return None

    def close(self) -> None:
        """Let go of all ports; the Services keep their number."""
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _port(self, key: Key) -> int:
        return int(self._held[key].getsockname()[1])

    def _hold(self, noted: int | None) -> socket.socket:
        taken = {_noted_port(each) for each in self._store.list("Service")}
        following = (port for port in range(self._first_port, _LAST_PORT) if port not in taken)
        for port in (*([noted] if noted else []), *following):
            if (held := _bind(port)) is not None:
                return held
        raise OSError(f"no port of {LOOPBACK} from {self._first_port} on is free")


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _bind(port: int) -> socket.socket | None:
    """A socket bound to the port; None where another program has it."""
    # SO_REUSEPORT alone would share the port of another program of the same user. SO_REUSEADDR on the first
    # socket passes over connections in TIME_WAIT; its absence on the second refuses a second `moorage up`.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return None
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind((LOOPBACK, port))
    except OSError:
        held.close()
        return None
    return held


def _noted_port(service: Object) -> int | None:
    noted = (service["metadata"].get("annotations") or {}).get(ADDRESS, "")
    port = noted.rpartition(":")[2]
    return int(port) if port.isdigit() else None
