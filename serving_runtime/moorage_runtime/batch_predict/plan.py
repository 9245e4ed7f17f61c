"""The plan of a run: which fragments a data set was cut into. Pure data, the same bytes for the same input."""

import base64
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.config import BatchPredictConfig
from moorage_runtime.storage import FileInfo

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1


@dataclass(frozen=True, slots=True)
class Fragment:
    """Rows that are done as a whole, by their place in a file.

    Parquet: row groups [begin, end), of them `rows` rows after `skip`. Text: bytes [begin, end), of which a CSV's
    header, its first `skip` bytes, is no part; the whole file where `end` is 0.
    """

    number: int
    file: int
    begin: int
    end: int
    skip: int
    rows: int
    """Counted (Parquet, CSV) or estimated."""

    @property
    def part(self) -> str:
        """Name of its file of predictions."""
        return f"part-{self.number:05}.parquet"


@dataclass(frozen=True, slots=True)
class Plan:
    """What all workers of a run agree on.

    `read` are the columns that are read of the input (with the types that text is parsed to), `kept` and `outputs`
    those that are written.
    """

    run: str
    format: str
    files: tuple[FileInfo, ...]
    fragments: tuple[Fragment, ...]
    read: "pa.Schema"
    kept: "pa.Schema"
    outputs: "pa.Schema"

    @property
    def rows(self) -> int:
        """Rows of all fragments; an estimate where theirs are."""
        return sum(fragment.rows for fragment in self.fragments)

    def to_json(self) -> bytes:
        """The document that the first worker writes."""
        document = {
            "version": VERSION,
            "run": self.run,
            "format": self.format,
            "files": [asdict(file) for file in self.files],
            "read": _text(self.read),
            "kept": _text(self.kept),
            "outputs": _text(self.outputs),
            "fragments": [[f.file, f.begin, f.end, f.skip, f.rows] for f in self.fragments],
        }
        return orjson.dumps(document)

    @classmethod
    def from_json(cls, data: bytes) -> "Plan":
        """Read it; ValueError or LookupError where it is none of ours."""
        document = orjson.loads(data)
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']!r} is unknown")
        return cls(
            run=document["run"],
            format=document["format"],
            files=tuple(FileInfo(**file) for file in document["files"]),
            fragments=tuple(Fragment(i, *numbers) for i, numbers in enumerate(document["fragments"])),
            read=_schema(document["read"]),
            kept=_schema(document["kept"]),
            outputs=_schema(document["outputs"]),
        )


def run_id(config: BatchPredictConfig, files: list[FileInfo], digest: str) -> str:
    """16 hex digits: another spec, another file in the input or another model is another run."""
    model = config.model
    said = model.model_dump(mode="json", exclude={"uri", "sha256", "parameters"})
    document: dict[str, Any] = {
        "version": VERSION,
        "revision": config.revision,
        "model": {**said, "parameters": repr(model.parameters), "digest": digest},
        "input": {
            "format": config.input.format,
            "columns": config.input.columns,
            "files": [asdict(file) for file in files],
        },
        "keep": config.keep,
    }
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def cut_row_groups(rows: list[int], limits: Limits) -> list[tuple[int, int, int, int]]:
    """Row groups of one file, by their rows, as (begin, end, skip, rows) of fragments, in order."""
    cuts: list[tuple[int, int, int, int]] = []
    begin = joined = 0

    def close(end: int) -> None:
        if joined:
            cuts.append((begin, end, 0, joined))

    for number, count in enumerate(rows):
        if joined and joined + count > limits.fragment_rows:
            close(number)
            begin, joined = number, 0
        if count > 2 * limits.slice_rows:
            close(number)
            cuts.extend(
                (number, number + 1, skip, min(limits.slice_rows, count - skip))
                for skip in range(0, count, limits.slice_rows)
            )
            begin, joined = number + 1, 0
        else:
            joined += count
    close(len(rows))
    return cuts


def _text(schema: "pa.Schema") -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _schema(text: str) -> "pa.Schema":
    import pyarrow as pa

    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text)))
