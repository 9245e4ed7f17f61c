"""Requests that no server may answer with a prediction: each must get the right 4xx, and leave the server well."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moorage_runtime.config import ProbeResult
from moorage_runtime.live_test.answers import error_text, predictions, tensors
from moorage_runtime.live_test.client import Client, Unanswered
from moorage_runtime.live_test.dataset import Sample
from moorage_runtime.live_test.load import Ids
from moorage_runtime.live_test.tensors import Served, inputs

NOWHERE = "/v2/models/moorage-no-such-model/infer"
Tensors = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """A bad request; `status` is the only right answer, None for any 4xx."""

    name: str
    path: str
    body: bytes
    status: int | None = None


def cases(client: Client, good: Tensors, model: Served, ids: Ids) -> list[Case]:
    """The bad requests that can be made of a good one."""
    infer = f"{client.model_path}/infer"
    text = _request(good, ids, "good")
    found = [
        Case("malformed_json", infer, text[: len(text) // 2].encode()),
        Case("nan", infer, _request(_changed(good, _nan), ids, "nan").encode()),
        Case("wrong_shape", infer, _request(_changed(good, _more_rows), ids, "shape").encode()),
        Case("empty_inputs", infer, _request([], ids, "empty").encode()),
        Case("unknown_model", NOWHERE, _request(good, ids, "unknown").encode(), 404),
    ]
    narrow = _narrower(good, model)
    if narrow is not None:
        found.append(Case("missing_feature", infer, _request(narrow, ids, "missing").encode()))
    if any(tensor["datatype"] != "BYTES" for tensor in good):
        found.append(Case("wrong_type", infer, _request(_changed(good, _text), ids, "type").encode()))
    return found


async def probe(
    client: Client, sample: Sample, model: Served, ids: Ids, expected: object
) -> list[ProbeResult]:
    """Send each bad request, then a good one, whose answer must still be `expected` (None: any answer)."""
    good = inputs(sample, model, [0])
    results = [await _one(client, case) for case in cases(client, good, model, ids)]
    healthy, message = await _healthy(client, _request(good, ids, "after").encode(), sample.classes, expected)
    return [*results, ProbeResult(name="negative_still_serving", passed=healthy, message=message)]


async def _one(client: Client, case: Case) -> ProbeResult:
    name = f"negative_{case.name}"
    wanted = str(case.status or "4xx")
    try:
        reply = await client.send("POST", case.path, case.body)
    except Unanswered as error:
        return ProbeResult(name=name, passed=False, message=f"expected {wanted}, got no answer: {error}")
    right = reply.status == case.status if case.status else 400 <= reply.status < 500
    said = error_text(reply.body)
    if not right:
        message = f"expected {wanted}, got {reply.status}"
    elif said is None:
        message = f'{reply.status}, but the body is not {{"error": "…"}}'
    elif b"Traceback (most recent call last)" in reply.body:
        message = f"{reply.status}, but the body shows a traceback"
    else:
        return ProbeResult(name=name, passed=True, message=f"{reply.status}: {said[:200]}")
    return ProbeResult(name=name, passed=False, message=message)


async def _healthy(client: Client, body: bytes, classes: list[Any], expected: object) -> tuple[bool, str]:
    try:
        reply = await client.infer(body)
        if reply.status != 200:
            return False, f"a good request got {reply.status} after the bad ones"
        found = predictions(tensors(reply.body), 1, classes)[0]
    except Unanswered as error:
        return False, f"a good request got no answer after the bad ones: {error}"
    except (ValueError, TypeError) as error:
        return False, f"a good request got an unusable reply after the bad ones: {error}"
    if expected is not None and found != expected:
        return (
            False,
            f"the answer to the same record was {expected} before the bad requests and is {found} after them",
        )
    return True, "a good request is answered as before"


def _request(tensors_: Tensors, ids: Ids, what: str) -> str:
    return json.dumps({"id": ids.other(what), "inputs": tensors_})


def _changed(good: Tensors, change: Callable[[dict[str, Any]], None]) -> Tensors:
    """A copy in which one tensor is changed: the first that holds no text, where there is one."""
    copied = copy.deepcopy(good)
    change(next((tensor for tensor in copied if tensor["datatype"] != "BYTES"), copied[0]))
    return copied


def _nan(tensor: dict[str, Any]) -> None:
    """`NaN` is no JSON, though many encoders write it."""
    tensor["data"][0] = float("nan")


def _text(tensor: dict[str, Any]) -> None:
    tensor["data"][0] = "no number"


def _more_rows(tensor: dict[str, Any]) -> None:
    tensor["shape"][0] += 1


def _narrower(good: Tensors, model: Served) -> Tensors | None:
    """One feature fewer, consistently; None where the metadata does not say how many there are."""
    if len(good) > 1:
        return good[1:] if model.inputs else None
    width = model.inputs[0].width if model.inputs else None
    if width is None or width < 2 or len(good[0]["shape"]) != 2:
        return None
    return [{**good[0], "shape": [1, width - 1], "data": good[0]["data"][1:]}]
