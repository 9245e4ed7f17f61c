"""Loads the worker's models beside an open management port; what cannot be had yet is tried again."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from moorage_runtime.capture.source import identity, source_of
from moorage_runtime.config import ModelConfig, ModelState, ModelStatus, StreamPredictConfig
from moorage_runtime.models import Loaded, load
from moorage_runtime.models.base import LoadError
from moorage_runtime.stream_predict.predictor import Served

RELOAD_SECONDS = (2.0, 60.0)
"""Pause after the first failed fetch of an artifact, and the longest; each is twice the one before."""
_MESSAGE_MAX = 512


class Loading:
    """All models of a config, loaded one after another in a thread of their own."""

    def __init__(self, config: StreamPredictConfig, stop: threading.Event, say: Callable[..., None]) -> None:
        self._config = config
        self._stop = stop
        self._say = say
        self._identity = identity(config.namespace, config.name, config.revision)
        self._states = {
            model.name: ModelStatus(
                name=model.name, version=model.version, framework=model.framework, state=ModelState.LOADING
            )
            for model in config.models
        }
        self.served: list[Served] = []
        self.done = threading.Event()
        """Set once every model is loaded."""
        self._thread = threading.Thread(target=self._run, name="load models", daemon=True)
        self._thread.start()

    def statuses(self) -> list[ModelStatus]:
        """Every model as it stands."""
        return list(self._states.values())

    @property
    def unready(self) -> str | None:
        """Why not all models are loaded; None where they are."""
        reasons = []
        for each in self._states.values():
            if each.state is ModelState.LOADING:
                reasons.append(f"model {each.name} is loading")
            elif each.state is ModelState.FAILED:
                reasons.append(f"model {each.name} could not be loaded: {each.reason}: {each.message}")
        return "; ".join(reasons) or None

    def _run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="moorage-") as temporary:
            cache = Path(self._config.cache_dir or temporary)
            waiting, pause = list(self._config.models), RELOAD_SECONDS[0]
            while waiting:
                waiting = [model for model in waiting if self._again(model, cache)]
                if waiting and self._stop.wait(pause):
                    return
                pause = min(2 * pause, RELOAD_SECONDS[1])
            if self.unready is None:
                order = [model.name for model in self._config.models]
                self.served.sort(key=lambda each: order.index(each.name))
                self.done.set()
            self._stop.wait()

    def _again(self, model: ModelConfig, cache: Path) -> bool:
        """Load a model; whether another try may succeed."""
        status = self._states[model.name]
        try:
            loaded = load(model, self._config.storage, cache)
        except Exception as error:  # noqa: BLE001 - it is the model's status, whatever it is
            known = isinstance(error, LoadError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            reason = error.reason if isinstance(error, LoadError) else "ModelLoadFailed"
            failed = {"state": ModelState.FAILED, "reason": reason, "message": text[:_MESSAGE_MAX]}
            self._states[model.name] = status.model_copy(update=failed)
            transient = isinstance(error, LoadError) and error.transient
            self._say("model failed", model=model.name, reason=reason, error=text, retried=transient)
            return transient
        self._succeed(model, loaded)
        return False

    def _succeed(self, model: ModelConfig, loaded: Loaded) -> None:
        self.served.append(Served(model, loaded, source_of(self._identity, model, loaded)))
        self._states[model.name] = ModelStatus(
            name=model.name,
            version=model.version,
            digest=loaded.digest,
            framework=loaded.framework,
            predictor=loaded.model.predictor,
            state=ModelState.READY,
            message=loaded.warning,
        )
        self._say(
            "model loaded",
            model=model.name,
            version=model.version,
            digest=loaded.digest,
            predictor=loaded.model.predictor,
            seconds=round(loaded.load_seconds, 3),
            warning=loaded.warning,
        )
