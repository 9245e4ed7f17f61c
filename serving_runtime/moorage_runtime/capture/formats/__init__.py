"""The wire forms of captured events; an encoder turns the events of one tick into messages of the stream."""

from collections.abc import Callable, Sequence
from typing import Literal

from moorage_runtime.capture.event import Event
from moorage_runtime.streams import Message

Encode = Callable[[Sequence[Event]], list[Message]]
"""The `events` of the messages add up to the number of events given."""
Format = Literal["native", "mlrun-v1", "mlrun-v2", "cloudevents"]


def encoder(name: Format, *, structured: bool) -> Encode:
    """The encoder of `capture.format`; `structured` where the stream keeps no headers."""
    if name == "native":
        from moorage_runtime.capture.formats.native import NativeEncoder

        return NativeEncoder()
    if name == "cloudevents":
        from moorage_runtime.capture.formats.cloudevents import CloudEventsEncoder

        return CloudEventsEncoder(structured=structured)
    from moorage_runtime.capture.formats.mlrun import MlrunEncoder

    return MlrunEncoder(name)
