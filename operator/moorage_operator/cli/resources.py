"""The resource types that local mode has, by every name that a person may call them."""

from collections.abc import Iterable
from dataclasses import dataclass

from moorage_api import GROUP
from moorage_api.kinds import CATEGORY, KINDS
from moorage_operator.cli.columns import CORE, Column, printer_columns
from moorage_operator.cli.failure import Failure

ALL = "all"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type, with its names and the columns of `get`."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    group: str
    columns: tuple[Column, ...]
    namespaced: bool = True
    categories: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        """`modelservings.moorage.dev`, as in messages about it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def called(self, name: str) -> str:
        """`modelserving.moorage.dev/iris`, as in messages about one object."""
        return f"{self.singular}.{self.group}/{name}" if self.group else f"{self.singular}/{name}"

    def names(self) -> set[str]:
        """Everything that it may be called."""
        plain = {self.plural, self.singular, *self.short_names}
        return plain | {f"{name}.{self.group}" for name in plain if self.group}


def _core(
    kind: str, short: tuple[str, ...] = (), group: str = "", categories: tuple[str, ...] = ()
) -> Resource:
    singular = kind.lower()
    plural = f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"
    return Resource(kind, plural, singular, short, group, CORE.get(kind, CORE[""]), categories=categories)


RESOURCES: tuple[Resource, ...] = (
    *(
        Resource(
            kind.kind,
            kind.plural,
            kind.singular,
            kind.short_names,
            GROUP,
            printer_columns(kind.columns),
            namespaced=kind.namespaced,
            categories=(CATEGORY, ALL) if "status" in kind.model.model_fields else (CATEGORY,),
        )
        for kind in KINDS.values()
    ),
    _core("Pod", ("po",), categories=(ALL,)),
    _core("Service", ("svc",), categories=(ALL,)),
    _core("Deployment", ("deploy",), "apps", (ALL,)),
    _core("CronJob", ("cj",), "batch", (ALL,)),
    _core("Job", (), "batch", (ALL,)),
    _core("ConfigMap", ("cm",)),
    _core("Secret"),
    _core("PersistentVolumeClaim", ("pvc",)),
    _core("PodDisruptionBudget", ("pdb",), "policy"),
    _core("NetworkPolicy", ("netpol",), "networking.k8s.io"),
    _core("Event", ("ev",)),
    Resource("Namespace", "namespaces", "namespace", ("ns",), "", CORE["Namespace"], namespaced=False),
)
BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}
_BY_NAME = {name: resource for resource in RESOURCES for name in resource.names()}


def find(names: str) -> list[Resource]:
    """Types by a comma list of names or categories; Failure for one that does not exist."""
    found: list[Resource] = []
    for name in names.lower().split(","):
        category = [resource for resource in RESOURCES if name in resource.categories]
        if not category and name not in _BY_NAME:
            raise Failure(
                f'error: the server doesn\'t have a resource type "{name}"; '
                f"there are {', '.join(resource.plural for resource in RESOURCES)}"
            )
        found += [one for one in category or [_BY_NAME[name]] if one not in found]
    return found


def completions(beginning: str) -> Iterable[str]:
    """Type names for the shell."""
    return sorted(resource.plural for resource in RESOURCES if resource.plural.startswith(beginning))
