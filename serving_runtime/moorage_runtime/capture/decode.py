"""Any captured message back into plain dicts, one per request. Standard library only: the command line uses it.

A dict has `format`, `id`, `namespace`, `serving`, `revision`, `model`, `version`, `digest`, `framework`, `class`,
`host`, `operation`, `time` (ISO 8601, UTC), `latency_us`, `features` (names, or None where the format has none),
`inputs` (list of rows), `outputs` (output name to list by row) and `first_row`; what a format does not carry is None.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Decoded = dict[str, Any]
_FIELDS = (
    "format", "id", "namespace", "serving", "revision", "model", "version", "digest", "framework", "class", "host",
    "operation", "time", "latency_us", "features", "inputs", "outputs", "first_row",
)  # fmt: skip
_SOURCE = ("namespace", "serving", "revision", "model", "version", "digest", "framework", "class", "host")
_REQUEST = ".inference.request"
_RESPONSE = ".inference.response"


class DecodeError(ValueError):
    """The message is no captured event; the text says what it lacks."""


def decode(value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> list[Decoded]:
    """The requests in a message of any of the four formats. Raises DecodeError.

    A CloudEvent is half of a request: its dict has `inputs` or `outputs`, the other is None. `merge` joins them, and
    the parts of a request that was too large for one message.
    """
    try:
        body = json.loads(value)
    except ValueError as error:
        raise DecodeError(f"no JSON: {error}") from error
    attributes = {
        name.removeprefix("ce_"): content.decode() for name, content in headers if name.startswith("ce_")
    }
    if not isinstance(body, dict):
        raise DecodeError("no JSON object")
    try:
        if attributes:
            return [_cloudevent(attributes, body)]
        if "specversion" in body:
            return [_cloudevent(body, body["data"])]
        if "schema" in body:
            return _native(body)
        if "resp" in body:
            return [_mlrun(body)]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(f"incomplete event: {error!r}") from error
    raise DecodeError("neither `schema`, `specversion` nor `resp` is there")


def merge(decoded: Iterable[Decoded]) -> list[Decoded]:
    """One dict per request: halves of CloudEvents joined, parts of large requests appended in the order of rows."""
    whole: dict[tuple[Any, ...], Decoded] = {}
    for part in sorted(decoded, key=lambda one: one["first_row"] or 0):
        key = (part["namespace"], part["serving"], part["model"], part["host"], part["id"])
        known = whole.get(key)
        if known is None:
            whole[key] = part
        elif part["format"] == "cloudevents":
            whole[key] = {
                name: known[name]
                if part[name] is None or (name == "time" and known["inputs"])
                else part[name]
                for name in _FIELDS
            }
        else:
            outputs = {name: known["outputs"][name] + part["outputs"][name] for name in known["outputs"]}
            whole[key] = known | {"inputs": known["inputs"] + part["inputs"], "outputs": outputs}
    return list(whole.values())


def _event(form: str, **fields: Any) -> Decoded:
    return dict.fromkeys(_FIELDS) | {"format": form, "first_row": 0} | fields


def _native(body: Mapping[str, Any]) -> list[Decoded]:
    schema = body["schema"]
    if not str(schema).startswith("moorage.capture/v1"):
        raise DecodeError(f"schema {schema!r} is not moorage.capture/v1")
    requests = body["requests"]
    features, predictions = dict(body["features"]), dict(body["predictions"])
    for role, columns in (("features", features), ("predictions", predictions)):
        for name, places in body.get("infinite", {}).get(role, {}).items():
            columns[name] = _with_infinite(columns[name], {int(at): sign for at, sign in places.items()}, [0])
    source = {name: body.get(name) for name in _SOURCE}
    events, begin = [], 0
    for at, identity in enumerate(requests["id"]):
        end = begin + requests["rows"][at]
        rows = list(zip(*(column[begin:end] for column in features.values()), strict=True))
        events.append(
            _event(
                "native",
                **source,
                id=identity,
                operation=requests["operation"][at],
                time=_iso(requests["time_us"][at]),
                latency_us=requests["latency_us"][at],
                features=list(features),
                inputs=[list(row) for row in rows],
                outputs=predictions
                if len(requests["id"]) == 1
                else {name: column[begin:end] for name, column in predictions.items()},
                first_row=requests["first_row"][at],
            )
        )
        begin = end
    return events


def _with_infinite(values: list[Any], places: Mapping[int, int], count: list[int]) -> list[Any]:
    """`count` runs over the flattened values."""
    filled: list[Any] = []
    for value in values:
        if isinstance(value, list):
            filled.append(_with_infinite(value, places, count))
            continue
        filled.append(places[count[0]] * float("inf") if count[0] in places else value)
        count[0] += 1
    return filled


def _mlrun(body: Mapping[str, Any]) -> Decoded:
    request, answer = body["request"], body["resp"]
    second = isinstance(answer, dict)
    rows = request["inputs"] if second else request["instances"]
    names = list(rows[0]) if rows and isinstance(rows[0], dict) else None
    namespace, _, serving = body.get("function_uri", "").partition("/")
    return _event(
        "mlrun-v2" if second else "mlrun-v1",
        id=request.get("id") or (answer["id"] if second else None),
        namespace=namespace or None,
        serving=serving or None,
        model=body["model"],
        version=body.get("version") or None,
        framework=body.get("labels", {}).get("framework"),
        host=body.get("host"),
        operation=body.get("op"),
        time=body["when"].removesuffix("+00:00").replace(" ", "T") + "Z",
        latency_us=body["microsec"],
        features=names,
        inputs=[list(row.values()) for row in rows] if names else rows,
        outputs={"predict": answer["outputs"] if second else answer},
        **{"class": body["class"]},
    )


def _cloudevent(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> Decoded:
    kind = attributes["type"]
    event = _event(
        "cloudevents",
        id=attributes["id"],
        namespace=attributes.get("namespace"),
        serving=attributes.get("inferenceservicename"),
        revision=attributes.get("revision"),
        model=attributes.get("model"),
        version=attributes.get("modelversion"),
        digest=attributes.get("modeldigest"),
        framework=attributes.get("modelframework"),
        host=attributes.get("host"),
        operation=attributes.get("operation"),
        time=attributes["time"],
        **{"class": attributes.get("modelclass")},
    )
    if kind.endswith(_RESPONSE):
        latency = attributes.get("latencymicroseconds")
        event["latency_us"] = None if latency is None else int(latency)
        event["outputs"] = {
            tensor["name"]: _nested(tensor["data"], tensor["shape"]) for tensor in data["outputs"]
        }
        return event
    if not kind.endswith(_REQUEST):
        raise DecodeError(f"a CloudEvent of type {kind} is no inference request or response")
    tensors = data["inputs"]
    if len(tensors) == 1 and len(tensors[0]["shape"]) > 1:
        event["features"] = tensors[0].get("parameters", {}).get("names")
        event["inputs"] = _nested(tensors[0]["data"], tensors[0]["shape"])
    else:
        columns = [_nested(tensor["data"], tensor["shape"]) for tensor in tensors]
        event["features"] = [tensor["name"] for tensor in tensors]
        event["inputs"] = [list(row) for row in zip(*columns, strict=True)]
    return event


def _nested(data: list[Any], shape: Sequence[int]) -> list[Any]:
    """Flat row-major data in its shape."""
    for size in reversed(shape[1:]):
        data = [data[begin : begin + size] for begin in range(0, len(data), size)] if size else []
    return data


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{microseconds % 1_000_000:06d}Z"
    )
