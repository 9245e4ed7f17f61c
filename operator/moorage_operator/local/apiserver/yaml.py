"""Manifests as kubectl reads them: YAML 1.1 by goyaml's rules, which are not PyYAML's.

PyYAML would make a date of 2024-01-01, 90 of 1:30 and a string of 1e3 and y; a manifest must mean the same here
as on a cluster. One difference is on purpose: a key that is given twice is an error, where kubectl silently
takes the last.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from moorage_operator.local.apiserver.objects import Object

SUFFIXES = (".yaml", ".yml", ".json")
MOST_NODES = 200_000
"""Bound of one document, aliases resolved; goyaml has one too."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
_FITS: dict[str, tuple[type, ...]] = {
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
    _TAG + "bool": (bool,),
    _TAG + "null": (type(None),),
}
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FRACTION = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+)?")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class ManifestError(Exception):
    """A manifest cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object and where it was written: the file's name as given, and its place in it from 1."""

    source: str
    index: int
    object: Object


def read_paths(path: Path, *, recursive: bool = False) -> list[Path]:
    """The manifests' files: the path itself, or a folder's files by name. ManifestError where it is not there."""
    if not path.exists():
        raise ManifestError(f'the path "{path}" does not exist')
    if not path.is_dir():
        return [path]
    files = path.rglob("*") if recursive else path.iterdir()
    return sorted(file for file in files if file.suffix in SUFFIXES and file.is_file())


def read_file(path: Path) -> list[Document]:
    """All objects of a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"error parsing {path}: not UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise ManifestError(f'the path "{path}" cannot be read: {error.strerror}') from None
    return read_text(text, str(path))


def read_text(text: str, source: str) -> list[Document]:
    """All objects of a text, lists taken apart, empty documents skipped."""
    values = list(values_of(text, source))
    objects: list[Object] = []
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise ManifestError(
                f"error parsing {source}: document {number} is a {_json_type(value)}, not an object"
            )
        objects += _flatten(value)
    return [Document(source, index, obj) for index, obj in enumerate(objects, 1)]


def values_of(text: str, source: str) -> Iterator[Any]:
    """The JSON value of each document that is not empty."""
    if text.lstrip().startswith("{"):
        try:
            yield from list(_json_values(text))
        except json.JSONDecodeError:
            pass  # YAML's flow style begins with a brace too
        except ValueError as error:
            raise ManifestError(f"error parsing {source}: {error}") from None
        else:
            return
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            if node is not None:
                value = _Builder().value(node)
                if value is not None:
                    yield value
    except RecursionError:
        raise ManifestError(f"error parsing {source}: it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        words = ", ".join(part for part in (error.problem, error.context) if part)
        raise ManifestError(
            f"error parsing {source}: error converting YAML to JSON: yaml: line {line}: {words}"
        ) from None
    except yaml.YAMLError as error:
        raise ManifestError(f"error parsing {source}: error converting YAML to JSON: yaml: {error}") from None


def scalar(text: str) -> Any:
    """What a plain scalar means to goyaml; a time is a string."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text[0] == ".":
        return float(text) if _FRACTION.fullmatch(text) and math.isfinite(float(text)) else text
    digits = text.replace("_", "")
    if (match := _INTEGER.fullmatch(digits)) and abs(number := _integer(*match.groups())) < 1 << 64:
        return number
    return float(digits) if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)) else text


def dump(value: Any) -> str:
    """A JSON value as YAML that reads back as the same value here and in kubectl, keys sorted."""
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=10**6)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that goyaml would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class' signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.strip("\n") else None if isinstance(scalar(text), str) else '"'
    return dumper.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _represent_text)


class _Loader(yaml.SafeLoader):
    """Composes nodes; leaves the meaning of plain scalars to `scalar`."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:  # noqa: ARG002 - the base class' signature
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _TAG + "str"


class _Builder:
    """Turns the nodes of one document into a JSON value."""

    def __init__(self) -> None:
        self.nodes = 0
        self.open: set[int] = set()

    def value(self, node: yaml.Node) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise _error(node, "document contains excessive aliasing or is too large")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self.open:
            raise _error(node, "anchor value contains itself")
        self.open.add(id(node))
        built = (
            self._mapping(node)
            if isinstance(node, yaml.MappingNode)
            else [self.value(item) for item in node.value]
        )
        self.open.discard(id(node))
        return built

    def _mapping(self, node: yaml.MappingNode) -> Object:
        built: Object = {}
        written: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag in (_PLAIN, _TAG + "merge") and key_node.value == "<<":
                self._merge(value_node, built)
                continue
            key = self._key(key_node)
            if key in written:
                raise _error(key_node, f'key "{key}" already set in map')
            written.add(key)
            built[key] = self.value(value_node)
        return built

    def _merge(self, node: yaml.Node, built: Object) -> None:
        """Merged keys replace what stands before them; of several maps the first wins."""
        maps = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for merged in maps:
            if not isinstance(merged, yaml.MappingNode):
                raise _error(node, "map merge requires map or sequence of maps as the value")
            built.update(self.value(merged))

    def _key(self, node: yaml.Node) -> str:
        key = self.value(node)
        if isinstance(key, str):
            return key
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, int | float):
            return json.dumps(key)
        raise _error(node, f"a {_json_type(key)} cannot be a key")


def _scalar(node: yaml.ScalarNode) -> Any:
    tag, text = node.tag, node.value
    if tag == _PLAIN:
        return _json_number(scalar(text), node)
    if tag in _FITS:
        value = scalar(text)
        if type(value) not in _FITS[tag]:
            raise _error(node, f"cannot decode `{text}` as a !!{tag.removeprefix(_TAG)}")
        return _json_number(value, node)
    if tag == _TAG + "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise _error(node, "!!binary value contains invalid base64 data") from None
    return text


def _json_number(value: Any, node: yaml.Node) -> Any:
    """Numbers as Go's JSON writes them: a whole float becomes an integer; NaN and infinity do not exist."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise _error(node, f"`{node.value}` is no JSON value")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _integer(sign: str, digits: str) -> int:
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower())
    if base is not None:
        return int(sign + digits[2:], base)
    return int(sign + digits, 8 if digits.startswith("0") else 10)


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    at = 0
    while text := text[at:].lstrip():
        value, at = decoder.raw_decode(text)
        yield value


def _without_doubles(pairs: list[tuple[str, Any]]) -> Object:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [key for key, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'key "{double}" already set in map')
    return built


def _no_constant(word: str) -> Any:
    raise ValueError(f"`{word}` is no JSON value")


def _flatten(value: Object) -> list[Object]:
    kind, items = value.get("kind"), value.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        return [value]
    given = {} if kind == "List" else {"apiVersion": value.get("apiVersion"), "kind": kind[: -len("List")]}
    return [flat for item in items if isinstance(item, dict) for flat in _flatten({**given, **item})]


def _error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _json_type(value: Any) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", dict: "map"}
    return names.get(type(value), "null")
