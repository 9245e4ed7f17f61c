"""At least once: a batch's output is acknowledged before its position is kept."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from moorage_runtime.stream_predict.encode import dead_letter, without_value
from moorage_runtime.stream_predict.metrics import Metrics
from moorage_runtime.stream_predict.records import (
    Batch,
    Failure,
    Outgoing,
    Partition,
    Positions,
    Predicted,
)

PAUSE = 0.5
"""Seconds before what was refused is tried again."""
Refused = list[tuple[Outgoing, str, bool]]


class Input(Protocol):
    """Where batches come from."""

    ahead: bool
    error: str | None

    @property
    def joined(self) -> bool: ...
    def take(self, most: int, wait: float) -> Batch | None: ...
    def moved(self) -> Iterable[Partition]: ...
    def commit(self, positions: Positions) -> None: ...
    def idle(self) -> None: ...
    def resume(self) -> None: ...
    def lag(self) -> int | None: ...
    def close(self) -> None: ...


class Sender(Protocol):
    """Where records go to."""

    error: str | None

    def send(self, records: Sequence[Outgoing]) -> None: ...
    def wait(self, timeout: float) -> bool: ...
    def refused(self) -> Refused: ...
    def close(self) -> None: ...


class Delivery(Protocol):
    """Takes one batch at a time from prediction to the kept position."""

    @property
    def error(self) -> str | None:
        """The output's own words, while it is failing."""

    def prepare(self) -> bool:
        """Whether batches can be taken; asked again and again until they can."""

    def send(self, predicted: Predicted) -> None:
        """Write a batch's output; the one before must be settled."""

    def settle(self, patience: float) -> bool:
        """Whether the batch in hand is written and its position kept, within about `patience` seconds."""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Partitions went to another member, who reads again what is not kept."""

    def close(self) -> None:
        """Give up what is in hand."""


class Letters:
    """Output records and dead letters of a batch, each for its own stream."""

    def __init__(self, output: str, dead: str, *, dead_lines: bool) -> None:
        self._output = output
        self._dead = dead
        self._dead_lines = dead_lines

    def outputs(self, predicted: Predicted) -> list[Outgoing]:
        """The records that were predicted."""
        batch, target, failures = predicted.batch, self._output, predicted.failures
        columns = zip(predicted.values, batch.keys, predicted.headers, batch.timestamps, strict=True)
        if not failures:
            return [Outgoing(target, *record) for record in columns]
        return [Outgoing(target, *record) for i, record in enumerate(columns) if i not in failures]

    def dead(self, predicted: Predicted) -> list[Outgoing]:
        """Those that were not."""
        return [self._letter(predicted, index) for index in predicted.failures]

    def _letter(self, predicted: Predicted, index: int) -> Outgoing:
        failure = predicted.failures[index]
        letter = dead_letter(self._dead, predicted.batch, index, failure, lines=self._dead_lines)
        return without_value(letter) if failure.reason == "TooLargeAtAll" else letter

    def amend(self, predicted: Predicted, refused: Refused) -> list[int]:
        """Turn records that their topic will never take into dead letters; the indices of those."""
        outputs = {value: i for i, value in enumerate(predicted.values)}
        amended = []
        for record, why, own in refused:
            if not own:
                continue
            index = outputs.get(record.value or b"") if record.target == self._output else None
            if index is not None:
                predicted.failures[index] = Failure("OutputRefused", f"{self._output}: {why}")
            else:
                index = next(i for i in predicted.failures if self._letter(predicted, i) == record)
                predicted.failures[index] = replace(predicted.failures[index], reason="TooLargeAtAll")
            amended.append(index)
        return amended


class AtLeastOnce:
    """Writes to any stream; after a failure a batch may be written twice."""

    def __init__(
        self, source: Callable[[], Input], output: Sender, dead: Sender, letters: Letters, metrics: Metrics
    ) -> None:
        self._source = source
        self._output = output
        self._dead = dead
        self._letters = letters
        self._metrics = metrics
        self._pending: Predicted | None = None
        self._positions: dict[Partition, int] = {}
        self._again: list[tuple[Sender, list[Outgoing]]] = []
        self._settling = False

    @property
    def error(self) -> str | None:
        """The output's own words, while it is failing."""
        return self._output.error or self._dead.error

    def prepare(self) -> bool:
        """Always: what cannot be written waits."""
        return True

    def send(self, predicted: Predicted) -> None:
        """Write a batch's output."""
        assert self._pending is None
        self._pending = predicted
        self._positions = {p: at + 1 for p, at in predicted.batch.ends().items()}
        self._output.send(self._letters.outputs(predicted))
        if predicted.failures:
            self._dead.send(self._letters.dead(predicted))

    def settle(self, patience: float) -> bool:
        """Wait for the acknowledgements, then keep the position."""
        if self._settling:
            return False
        self._settling = True
        deadline = time.monotonic() + patience
        try:
            while self._pending is not None:
                if self._written(self._pending):
                    self._keep(self._pending)
                elif time.monotonic() >= deadline:
                    return False
                else:
                    self._source().idle()
            self._source().resume()
            return True
        finally:
            self._settling = False

    def _written(self, predicted: Predicted) -> bool:
        """Whether all of it is acknowledged; what was refused is dealt with."""
        if self._again:
            time.sleep(PAUSE)
            again, self._again = self._again, []
            for sender, records in again:
                sender.send(records)
        senders = (self._output,) if self._output is self._dead else (self._output, self._dead)
        if not all(sender.wait(0.2) for sender in senders):
            return False
        for sender in senders:
            refused = sender.refused()
            for index in self._letters.amend(predicted, refused):
                (letter,) = self._letters.dead(
                    replace(predicted, failures={index: predicted.failures[index]})
                )
                self._again.append((self._dead, [letter]))
            if others := [record for record, _, own in refused if not own]:
                self._again.append((sender, others))
        return not self._again

    def _keep(self, predicted: Predicted) -> None:
        self._pending = None
        self._source().commit(self._positions)
        count_settled(self._metrics, predicted)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Their position is not ours to keep any more; what is written stays written."""
        for partition in partitions:
            self._positions.pop(partition, None)

    def close(self) -> None:
        """Give up what is in hand."""
        self._output.close()
        if self._dead is not self._output:
            self._dead.close()


def count_settled(metrics: Metrics, predicted: Predicted) -> None:
    """A batch is through."""
    dead = Counter(failure.reason for failure in predicted.failures.values())
    metrics.settled(len(predicted.batch) - len(predicted.failures), dead)
