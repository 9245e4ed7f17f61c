"""What a person means by `KIND`, `KIND NAME…`, `KIND/NAME…` and `-l`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from moorage_operator.cli.failure import Failure
from moorage_operator.cli.resources import RESOURCES, Resource, find
from moorage_operator.local.apiserver.objects import Object

_SET = re.compile(r"\s*([^\s,!=]+)\s+(in|notin)\s+\(([^)]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s,!=]+)\s*(==|=|!=)\s*([^\s,=!]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s,!=]+)\s*")


@dataclass(frozen=True, slots=True)
class Target:
    """A resource type and one name, or all of it."""

    resource: Resource
    name: str | None = None


def targets(words: Sequence[str], default: str | None = None) -> list[Target]:
    """Of a command's arguments; `default` is the type of a bare NAME where a command has one."""
    if not words:
        raise click.UsageError(
            "you must say what: KIND, KIND NAME or KIND/NAME, with the kinds "
            + ", ".join(
                f"{one.plural} ({one.short_names[0]})" if one.short_names else one.plural for one in RESOURCES
            )
        )
    if any("/" in word for word in words):
        return [_slashed(word, default) for word in words]
    if default is not None and len(words) == 1:
        return [Target(find(default)[0], words[0])]
    resources, names = find(words[0]), words[1:]
    if not names:
        return [Target(resource) for resource in resources]
    return [Target(resource, name) for resource in resources for name in names]


def _slashed(word: str, default: str | None) -> Target:
    kind, slash, name = word.partition("/")
    if not slash and default is not None:
        return Target(find(default)[0], word)
    resources = find(kind) if slash else []
    if not name or "/" in name or len(resources) != 1:
        raise Failure(
            "error: there is no need to specify a resource type as a separate argument when passing arguments "
            f"in resource/name form (e.g. 'moorage get mserve/iris'); \"{word}\" is not of that form"
        )
    return Target(resources[0], name)


def selector(text: str) -> Callable[[Object], bool]:
    """A label selector: `a=b,c!=d,e,!f,g in (h,i)`. UsageError where it is none."""
    tests: list[Callable[[dict[str, str]], bool]] = []
    at = 0
    while at < len(text):
        if match := _SET.match(text, at):
            tests.append(_in_set(match[1], match[2] == "in", {word.strip() for word in match[3].split(",")}))
        elif match := _EQUAL.match(text, at):
            tests.append(_in_set(match[1], match[2] != "!=", {match[3]}))
        elif match := _EXISTS.match(text, at):
            tests.append(_exists(match[2], not match[1]))
        if match is None or text[match.end() : match.end() + 1] not in ("", ","):
            raise click.UsageError(f'"{text}" is not a label selector')
        at = match.end() + 1
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _in_set(key: str, wanted: bool, values: set[str]) -> Callable[[dict[str, str]], bool]:
    return lambda labels: (labels.get(key) in values) is wanted


def _exists(key: str, wanted: bool) -> Callable[[dict[str, str]], bool]:
    return lambda labels: (key in labels) is wanted
