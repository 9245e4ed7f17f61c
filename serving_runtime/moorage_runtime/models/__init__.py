"""Models: from a URI to something that predicts, one file per framework behind one small interface."""

from moorage_runtime.models.base import InputError, LoadError, Model, Signature, Tensor
from moorage_runtime.models.load import Loaded, load

__all__ = ["InputError", "LoadError", "Loaded", "Model", "Signature", "Tensor", "load"]
