"""Messages of captured events into blocks of rows: native, MLRun V1 and V2, told apart by the messages themselves.

Nothing that a stream may hold raises. What is not used is counted by reason, and what is used is the same whichever
way it took: the fast ones of `decode_native`, or `decode_careful`.
"""

from collections import Counter
from collections.abc import Sequence

from moorage_runtime.drift.reading.careful import Careful
from moorage_runtime.drift.reading.native import Head, Heads, part_of_packed
from moorage_runtime.drift.reading.rows import Gathered, Skip, join
from moorage_runtime.drift.reading.single import NEAR, SINGLE, Template, part_of_singles
from moorage_runtime.drift.types import Block
from moorage_runtime.streams import Chunk

BATCH = 512
"""Messages of one row that are read together; more would leave the processor's cache."""
LARGE = 16_000
"""Bytes of a message from which on it pays to have its arrays read without making objects."""
ENDING = b"]}}"
"""Of a tail that names no infinities."""
FEW = 16
"""Messages up to which it takes longer to read them together than one by one."""


class Decoder:
    """Decodes one model's events; `skipped` counts messages by reason.

    `malformed` (no JSON object, or incomplete), `unknown_schema` (a major version of the native format that this
    version does not know), `foreign_model`, `error_event` (MLRun's, of a failed request), `unsupported` (CloudEvents).

    Names of features that events bring none for are `features` where their number fits, else x0, x1 …; the name of an
    MLRun answer is the first of `outputs`, else `predict`. A value that is an array becomes columns NAME.0, NAME.1 …
    up to 64; answers that are not one per row are no predictions. `careful` leaves the fast ways out.
    """

    def __init__(
        self, model: str, features: list[str] | None, outputs: list[str] | None, *, careful: bool = False
    ) -> None:
        self.skipped: Counter[str] = Counter()
        self._careful = Careful(model, features, outputs)
        self._heads = None if careful else Heads(model)

    def decode(self, chunk: Chunk) -> Block | None:
        """The rows of a chunk, in their order; None where it has none."""
        if not chunk.offsets:
            return None
        gathered = Gathered()
        values, at = chunk.values, 0
        while at < len(values):
            head = self._heads.of(values[at]) if self._heads is not None else None
            if head is None:
                self._add(gathered, chunk, at)
                at += 1
            else:
                at = self._add_native(gathered, chunk, at, head)
        gathered.flush()
        return join(chunk.partition, chunk.offsets[0], chunk.next_offset, gathered.parts)

    def _add(self, gathered: Gathered, chunk: Chunk, at: int, head: Head | None = None) -> None:
        """Add a message by itself; `head` where it is known."""
        offset, value = chunk.offsets[at], chunk.values[at]
        try:
            if head is not None:
                found = self._careful.read_tail(head.body, head.texts, value[len(head.text) :])
            else:
                found = self._careful.read(value, f"{chunk.partition}-{offset}")
        except Skip as skip:
            headers = chunk.headers[at] if chunk.headers is not None else ()
            # the payload of a CloudEvent in binary mode looks like nothing that is known
            binary = any(key.startswith("ce_") for key, _ in headers)
            self.skipped["unsupported" if binary else str(skip)] += 1
            return
        for rows in found:
            gathered.add(rows, offset)

    def _add_native(self, gathered: Gathered, chunk: Chunk, begin: int, head: Head) -> int:
        """Add the message, and with it those of one row and the same columns that follow; where to go on."""
        value = chunk.values[begin]
        if head.template is not None:
            if value.find(SINGLE, len(head.text), len(head.text) + NEAR) >= 0:
                heads, tails = self._singles(chunk, begin, head, head.template)
                if tails:
                    self._add_singles(gathered, chunk, begin, head.template, heads, tails)
                    return begin + len(tails)
            part = part_of_packed(head, value, chunk.offsets[begin]) if len(value) >= LARGE else None
            if part is not None:
                gathered.flush()
                gathered.parts.append(part)
                return begin + 1
        self._add(gathered, chunk, begin, head)
        return begin + 1

    def _singles(
        self, chunk: Chunk, begin: int, head: Head, template: Template
    ) -> tuple[list[Head], list[bytes]]:
        """Heads and tails of the messages of one row, from the first on that is one."""
        assert self._heads is not None
        values, text, size = chunk.values[begin : begin + BATCH], head.text, len(head.text)
        tails = [
            value[size:]
            for value in values
            if value.startswith(text)
            and value.endswith(ENDING)
            and value.find(SINGLE, size, size + NEAR) >= 0
        ]
        if len(tails) == len(values):
            return [head] * len(tails), tails
        heads: list[Head] = []
        tails = []
        for value in values:
            if not value.startswith(head.text):
                other = self._heads.of(value)
                if other is None or other.template is not template:
                    break
                head = other
            tail = value[len(head.text) :]
            if tail.find(SINGLE, 0, NEAR) < 0 or not tail.endswith(ENDING):
                break
            heads.append(head)
            tails.append(tail)
        return heads, tails

    def _add_singles(
        self,
        gathered: Gathered,
        chunk: Chunk,
        begin: int,
        template: Template,
        heads: Sequence[Head],
        tails: Sequence[bytes],
    ) -> None:
        """Add messages of one row; where one is unusual, halves find it."""
        count = len(tails)
        versions = [head.version for head in heads]
        if count <= FEW:
            for at, head in enumerate(heads, begin):
                self._add(gathered, chunk, at, head)
            return
        part = part_of_singles(template, tails, chunk.offsets[begin : begin + count], versions)
        if part is not None:
            gathered.flush()
            gathered.parts.append(part)
        else:
            half = count // 2
            self._add_singles(gathered, chunk, begin, template, heads[:half], tails[:half])
            self._add_singles(gathered, chunk, begin + half, template, heads[half:], tails[half:])
