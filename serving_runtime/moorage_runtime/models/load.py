"""From a model's config to a model that answers: fetch, verify, load, warm up.

The digest is checked before anything of the artifact is executed: unpickling runs code.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime.config import ModelConfig, StorageConfig
from moorage_runtime.models import artifact
from moorage_runtime.models.base import InputError, LoadError, Model
from moorage_runtime.models.built import Built
from moorage_runtime.models.code import code_folder, importable
from moorage_runtime.models.signature import synthetic
from moorage_runtime.storage import StorageError, digest, fetch

AUTO = "auto"
"""Framework of a config that leaves it to the artifact."""
MESSAGE_MAX = 512
_WARM_UPS = 5
_SLOW_SECONDS = 0.5
_LOADING = threading.Lock()
"""Imports and caught warnings are the whole process's: one model loads at a time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to answer, and what there is to say about it."""

    model: Model
    digest: str
    """SHA-256 of the artifact."""
    framework: str
    class_name: str
    load_seconds: float
    """Fetching, verifying, loading and warming up."""
    call_seconds: float | None = None
    """Fastest of the warm-up's calls with one row; None where there was no warm-up."""
    warning: str | None = None
    """A doubt that does not keep the model from answering, for a person."""


def load(config: ModelConfig, storage: StorageConfig, cache: Path) -> Loaded:
    """Load a model; `cache` keeps what is fetched. Raises LoadError: one line of at most 512 characters."""
    started = time.perf_counter()
    try:
        path = fetch(config.uri, cache, storage)
        found = digest(path)
        _verify(config, found)
        framework = config.framework if config.framework != AUTO else _detect(path, config)
        code = None if config.code_uri is None else code_folder(config.code_uri, storage, cache)
        with _LOADING, importable(code):
            built = _loader(framework)(path, config)
            call_seconds, warning = _warm_up(built)
    except StorageError as error:
        raise LoadError(_short(str(error)), transient=True) from None
    except LoadError as error:
        raise LoadError(_short(str(error)), error.reason) from None
    except MemoryError:
        raise LoadError(f"{config.uri}: not enough memory to load the model") from None
    except (Exception, SystemExit) as error:
        raise LoadError(_short(f"{config.uri}: {type(error).__name__}: {error}")) from error
    return Loaded(
        built.model,
        digest=found,
        framework=framework,
        class_name=built.class_name,
        load_seconds=time.perf_counter() - started,
        call_seconds=call_seconds,
        warning=_short(built.warning or warning or "") or None,
    )


def _verify(config: ModelConfig, found: str) -> None:
    if config.sha256 is not None and config.sha256.lower() != found:
        raise LoadError(
            f"{config.uri} has the digest {found}, the manifest pins {config.sha256}", "DigestMismatch"
        )


def _detect(path: Path, config: ModelConfig) -> str:
    return "python" if config.python_class is not None else artifact.framework_of(path)


def _loader(framework: str) -> Callable[[Path, ModelConfig], Built]:
    if framework == "sklearn":
        from moorage_runtime.models import sklearn

        return sklearn.load
    if framework == "onnx":
        from moorage_runtime.models import onnx

        return onnx.load
    if framework == "python":
        from moorage_runtime.models import python

        return python.load
    raise LoadError(f"framework {framework!r} is not one of this runtime's: sklearn, onnx, python")


def _warm_up(built: Built) -> tuple[float | None, str | None]:
    """Seconds of one call with one row, and a warning where user code does not take a row of zeros."""
    model = built.model
    row = synthetic(model.signature)
    if row is None:
        return None, None
    fastest: float | None = None
    for _ in range(_WARM_UPS):
        started = time.perf_counter()
        try:
            model.predict(row, model.default_outputs)
        except InputError:
            return None, None
        except Exception as error:  # noqa: BLE001 - a model's code may raise anything
            text = f"predict fails on a row of zeros: {type(error).__name__}: {error}"
            if model.stackable:
                raise LoadError(text) from None
            return None, text
        seconds = time.perf_counter() - started
        fastest = seconds if fastest is None else min(fastest, seconds)
        if seconds > _SLOW_SECONDS:
            break
    return fastest, None


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= MESSAGE_MAX else line[: MESSAGE_MAX - 1] + "…"
