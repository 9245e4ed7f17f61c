r"""The part of Kubernetes' JSONPath that columns, `wait` and `-o jsonpath` use.

Fields `.a.b`, escaped dots `.a\.b`, quoted fields `['a.b']`, indexes `[0]` and `[-1]`, all items `[*]`, and
filters `[?(@.type=="Ready")]` with == or !=.
"""

import json
import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]{}'"\\])+)
      | \[(?P<index>-?[0-9]+)\]
      | \[(?P<all>\*)\]
      | \['(?P<quoted>[^']*)'\]
      | \[\?\(\s*@(?P<path>[^=!<>()]*?)\s*(?P<operator>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^()"'\s]+)\s*\)\]""",
    re.VERBOSE,
)
_PART = re.compile(r"\{([^{}]*)\}")


class JsonPathError(ValueError):
    """The path is not understood; the message shows where."""


def find(path: str, value: Any) -> list[Any]:
    """All that the path leads to; empty where nothing is there."""
    found = [value]
    at = 1 if path.startswith("$") else 0
    if path[at : at + 1] not in ("", ".", "["):
        path, at = "." + path[at:], 0
    if path in (".", ""):
        return found
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise JsonPathError(f'unrecognized JSONPath "{path}" at "{path[at:]}"')
        found = [reached for item in found for reached in _take(item, step)]
        at = step.end()
    return found


def text(value: Any) -> str:
    """A value as kubectl prints it: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def render(template: str, value: Any) -> str:
    r"""A template like `{.metadata.name}{"\n"}`; without braces it is one path."""
    if "{" not in template:
        template = f"{{{template}}}"
    return _PART.sub(lambda part: _render_part(part[1].strip(), value), template)


def _render_part(part: str, value: Any) -> str:
    if part.startswith('"'):
        try:
            return str(json.loads(part))
        except ValueError:
            raise JsonPathError(f"unrecognized text in JSONPath {part}") from None
    return " ".join(text(found) for found in find(part, value))


def _take(item: Any, step: re.Match[str]) -> list[Any]:
    name = step["quoted"] if step["field"] is None else re.sub(r"\\(.)", r"\1", step["field"])
    if name is not None:
        if name == "*" and isinstance(item, dict):
            return list(item.values())
        return [item[name]] if isinstance(item, dict) and item.get(name) is not None else []
    if not isinstance(item, list):
        return []
    if step["index"] is not None:
        index = int(step["index"])
        return item[index:][:1] if index >= 0 else item[index:][: 1 if -index <= len(item) else 0]
    if step["all"]:
        return item
    wanted, same = step["value"].strip("\"'"), step["operator"] == "=="
    return [one for one in item if ([text(v) for v in find(step["path"], one)] == [wanted]) is same]
