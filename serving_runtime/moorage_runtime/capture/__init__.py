"""What the server saw and answered, as events on a stream; `recorder` takes them, `formats` encodes, `decode` reads.

Imported lazily: the command line reads events with `capture.decode`, without numpy and orjson.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorage_runtime.capture.event import Event, Source
    from moorage_runtime.capture.recorder import Capture, open_capture

__all__ = ["Capture", "Event", "Source", "open_capture"]


def __getattr__(name: str) -> Any:
    if name in ("Capture", "open_capture"):
        from moorage_runtime.capture import recorder

        return getattr(recorder, name)
    if name in ("Event", "Source"):
        from moorage_runtime.capture import event

        return getattr(event, name)
    raise AttributeError(name)
