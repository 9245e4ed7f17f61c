"""The catalogue of runtimes: which image serves which framework.

Among the runtimes that fit all models, one of the resource's own namespace wins over a cluster-wide one;
then the longest match of dotted versions, an exact version before a prefix, the higher priority, the name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from moorage_api.conditions import Reason
from moorage_api.model_runtime import ModelRuntime, ModelRuntimeSpec, Role
from moorage_api.model_serving import Framework
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object

KINDS = ("ModelRuntime", "ClusterModelRuntime")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Runtime:
    """One entry; `namespace` is None for a ClusterModelRuntime."""

    name: str
    namespace: str | None
    spec: ModelRuntimeSpec

    def __str__(self) -> str:
        """Name and frameworks, for a person: `sklearn (sklearn 1)`."""
        listed = ", ".join(
            f"{known.name} {'|'.join(known.versions)}".strip() for known in self.spec.frameworks
        )
        return f"{self.name} ({listed or 'any framework'})"

    def match(self, framework: Framework) -> tuple[int, bool] | None:
        """(dotted parts that agree, exactly the same version), or None where the framework does not fit."""
        fits = [
            match
            for known in self.spec.frameworks
            if known.name == framework.name
            for match in [_match(framework.version, known.versions)]
            if match is not None
        ]
        return max(fits, default=None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All runtimes; `invalid` names the objects that could not be read, so that nobody looks for them."""

    runtimes: tuple[Runtime, ...] = ()
    invalid: tuple[str, ...] = ()

    @classmethod
    def of(cls, objects: Iterable[Object]) -> "Catalogue":
        """The catalogue of ModelRuntime and ClusterModelRuntime objects, in any order."""
        runtimes, invalid = [], []
        for found in objects:
            if found.get("kind") not in KINDS:
                continue
            try:
                parsed = ModelRuntime.model_validate(found)
            except ValidationError:
                invalid.append(str((found.get("metadata") or {}).get("name", "?")))
                continue
            namespace = parsed.metadata.namespace if found["kind"] == "ModelRuntime" else None
            runtimes.append(Runtime(parsed.metadata.name, namespace, parsed.spec))
        order = sorted(runtimes, key=lambda runtime: (runtime.namespace or "", runtime.name))
        return cls(tuple(order), tuple(sorted(invalid)))

    def pick(
        self, namespace: str, role: Role, frameworks: Sequence[Framework], name: str | None = None
    ) -> Runtime:
        """The runtime for all of `frameworks` at once, by `name` where one is given.

        A named runtime that lists no framework takes any. Raises `Refused`: RuntimeNotFound for a name that
        does not exist, NoSupportingRuntime with what does exist.
        """
        visible = self._visible(namespace)
        if name is not None:
            return self._named(visible, role, frameworks, name)
        ranked = [
            (rank, runtime)
            for runtime in visible
            if runtime.spec.auto_select and role in runtime.spec.roles
            for rank in [_rank(runtime, role, frameworks)]
            if rank is not None
        ]
        if not ranked:
            wanted = ", ".join(sorted({_said(framework) for framework in frameworks})) or "anything"
            raise Refused(
                Reason.NO_SUPPORTING_RUNTIME,
                f"no runtime with role {role} supports {wanted}; {self._listed(visible, role)}",
            )
        return min(ranked, key=lambda entry: (entry[0], entry[1].name))[1]

    def listed(self, namespace: str, role: Role) -> str:
        """What there is for a role, for a person."""
        return self._listed(self._visible(namespace), role)

    def _visible(self, namespace: str) -> list[Runtime]:
        return [runtime for runtime in self.runtimes if runtime.namespace in (namespace, None)]

    def _named(
        self, visible: Sequence[Runtime], role: Role, frameworks: Sequence[Framework], name: str
    ) -> Runtime:
        found = [runtime for runtime in visible if runtime.name == name]
        if not found:
            raise Refused(
                Reason.RUNTIME_NOT_FOUND,
                f"spec.runtime: there is no ModelRuntime or ClusterModelRuntime {name!r}; "
                + self._listed(visible, role),
            )
        runtime = next((own for own in found if own.namespace is not None), found[0])
        if role not in runtime.spec.roles:
            raise Refused(
                Reason.NO_SUPPORTING_RUNTIME,
                f"spec.runtime: {name} does not have the role {role}; {self._listed(visible, role)}",
            )
        lacking = [
            _said(wanted)
            for wanted in frameworks
            if runtime.spec.frameworks and runtime.match(wanted) is None
        ]
        if lacking:
            raise Refused(
                Reason.NO_SUPPORTING_RUNTIME,
                f"spec.runtime: {runtime} does not support {', '.join(sorted(set(lacking)))}",
            )
        return runtime

    def _listed(self, visible: Sequence[Runtime], role: Role) -> str:
        having = [str(runtime) for runtime in visible if role in runtime.spec.roles]
        more = f" and {len(having) - _LISTED} more" if len(having) > _LISTED else ""
        text = f"the catalogue has {', '.join(having[:_LISTED]) or 'none'}{more}"
        return f"{text}; unreadable: {', '.join(self.invalid[:_LISTED])}" if self.invalid else text


def _said(framework: Framework) -> str:
    return f"{framework.name} {framework.version or ''}".strip()


def _match(version: str | None, known: Sequence[str]) -> tuple[int, bool] | None:
    """A shorter dotted version fits every longer one that begins with it, whichever side is the shorter."""
    if version is None or not known:
        return 0, False
    wanted = version.split(".")
    lengths = [
        (len(common), wanted == parts)
        for parts in (entry.split(".") for entry in known)
        for common in [parts[: len(wanted)]]
        if common == wanted[: len(parts)]
    ]
    return max(lengths, default=None)


def _rank(runtime: Runtime, role: Role, frameworks: Sequence[Framework]) -> tuple[bool, int, int, int] | None:
    """Lower is better; None where a framework does not fit. An image of tests need not list what it loads."""
    unlisted = role is Role.TEST and not runtime.spec.frameworks
    matches = [(0, False) if unlisted else runtime.match(framework) for framework in frameworks]
    if any(match is None for match in matches):
        return None
    parts = sum(match[0] for match in matches if match)
    exact = sum(match[1] for match in matches if match)
    return runtime.namespace is None, -parts, -exact, -runtime.spec.priority
