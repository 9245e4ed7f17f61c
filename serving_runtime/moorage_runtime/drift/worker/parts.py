"""What a worker is made of, while it runs. Its phases (starting, the loop, keeping, reporting) share this and no more."""

from dataclasses import dataclass, field

from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.checkpoint.manifest import Checkpoint
from moorage_runtime.drift.checkpoint.progress import Progress, Quiet
from moorage_runtime.drift.checkpoint.saving import Saver
from moorage_runtime.drift.concept.watch import Concept
from moorage_runtime.drift.monitor import Monitor, Outcome
from moorage_runtime.drift.reading.decode import Decoder
from moorage_runtime.drift.sinks import Sinks
from moorage_runtime.streams import PartitionReader

REFERENCE = "reference.json"
"""Name of the reference's blob."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between one thing and the next."""

    checkpoint: float = 5.0
    idle: float = 30.0
    """After which a partition without traffic holds windows of time back no longer."""
    retry: float = 5.0
    view: float = 0.25
    lag: float = 2.0
    close: float = 10.0
    """Bound of what the sinks may take at the end, and again the last checkpoint."""


def decoder_of(config: DriftConfig) -> Decoder:
    """A decoder for the config's model."""
    return Decoder(
        config.model,
        [one.name for one in config.features] if config.features else None,
        [one.name for one in config.outputs] if config.outputs else None,
    )


@dataclass(slots=True)
class Parts:
    """The parts, and what is known that is none of theirs."""

    config: DriftConfig
    timing: Timing
    checkpoint: Checkpoint
    saver: Saver
    sinks: Sinks
    decoder: Decoder
    concept: Concept | None
    progress: Progress
    quiet: Quiet = field(default_factory=Quiet)
    brought: set[str] = field(default_factory=set)
    """Partitions that have brought something since the start."""
    reader: PartitionReader | None = None
    labels: PartitionReader | None = None
    monitor: Monitor | None = None
    reference: bytes | None = None
    """The blob."""
    files: str | None = None
    """Hash of what was known of the reference's files."""
    missing: tuple[str, ...] = ()
    """Watched features that the reference lacks."""
    note: str = ""
    """What a person should know of the checkpoint, in the status."""
    lost_before: int = 0
    news: bool = False
    """Whether a state has changed since the status was last shown."""

    @classmethod
    def of(cls, config: DriftConfig, timing: Timing) -> "Parts":
        """Before anything was read. Raises ValueError where a detector's parameter is wrong, StreamError."""
        concept = Concept(config.concept_drift, config.outputs) if config.concept_drift else None
        checkpoint = Checkpoint(config.checkpoint_uri, config.storage)
        progress = Progress(archiving=config.object_store is not None)
        decoder = decoder_of(config)
        return cls(config, timing, checkpoint, Saver(checkpoint), Sinks(config), decoder, concept, progress)

    @property
    def group(self) -> str:
        """Name of the consumer group, which only learns the positions."""
        return self.config.group or f"moorage.{self.config.namespace}.{self.config.name}"

    @property
    def lost(self) -> int:
        """What retention took before it was read."""
        return self.lost_before + (self.reader.lost if self.reader is not None else 0)

    def put_out(self, outcome: Outcome) -> None:
        """Hand results and changes on to the sinks."""
        if outcome.results or outcome.changes:
            self.sinks.results(outcome.results, outcome.changes)
            self.news = self.news or bool(outcome.changes)
