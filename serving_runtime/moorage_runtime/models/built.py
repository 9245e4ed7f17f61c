"""What a framework's loader gives back."""

from dataclasses import dataclass

from moorage_runtime.models.base import Model


@dataclass(frozen=True, slots=True)
class Built:
    """A model, the class that answers, and a word for the person if something about it is doubtful."""

    model: Model
    class_name: str
    warning: str | None = None
