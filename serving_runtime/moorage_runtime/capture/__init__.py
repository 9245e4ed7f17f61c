"""What the server saw and answered, as events on a stream; `recorder` takes them, `formats` encodes, `decode` reads.

Imported lazily: the command line reads events with `capture.decode`, without numpy and orjson.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorage_runtime.capture.event import Event, Source
    from moorage_runtime.capture.recorder import Capture, open_capture

__all__ = ["TEST_ID", "Capture", "Event", "Source", "open_capture"]

TEST_ID = "moorage-test-"
"""The ids of a live test's requests begin so: who reads the stream may tell them from traffic."""


def __getattr__(name: str) -> Any:
    if name in ("Capture", "open_capture"):
        from moorage_runtime.capture import recorder

        return getattr(recorder, name)
    if name in ("Event", "Source"):
        from moorage_runtime.capture import event

        return getattr(event, name)
    raise AttributeError(name)
