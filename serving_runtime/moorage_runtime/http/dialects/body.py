"""What all dialects share: the request body as JSON, and the names that a request may use."""

from typing import Any

import orjson

from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.replies import REQUEST_ID_MAX, HttpError
from moorage_runtime.http.served import new_request_id
from moorage_runtime.models.base import InputError
from moorage_runtime.models.tensors import kind_of


def parse(data: bytes) -> Any:
    """The body's JSON. NaN, bad UTF-8, numbers beyond a double and nesting beyond 1024 are the caller's errors."""
    if not data:
        raise HttpError(400, "the body is empty, JSON is expected")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"the body is not valid JSON: {error}") from None


def parse_object(data: bytes) -> dict[str, Any]:
    """The body as a JSON object; a JSON string that holds the object, as MLRun's testers send it, counts too."""
    body = parse(data)
    if isinstance(body, str):
        body = parse(body.encode())
    if not isinstance(body, dict):
        raise HttpError(400, f"the body must be a JSON object, not {kind_of(body)}")
    return body


def request_id(body: dict[str, Any], exchange: Exchange) -> str:
    """The body's id, else the header's, else a new one."""
    value = body.get("id")
    if value is None:
        return exchange.request_id or new_request_id()
    if not isinstance(value, str) or len(value) > REQUEST_ID_MAX:
        raise InputError(f"id must be a string of at most {REQUEST_ID_MAX} characters")
    return value
