"""Reading what `-f` names: files, folders, and - for standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from moorage_operator.local.apiserver.yaml import Document, ManifestError, read_file, read_paths, read_text

STDIN = "-"
files_option = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    help="Manifests; - reads standard input.",
)
default_namespace_option = click.option(
    "-n", "--namespace", default=None, help="Namespace of objects that name none. [default: default]"
)
recursive_option = click.option("-R", "--recursive", is_flag=True, help="Descend into the folders of -f.")


def read(files: Sequence[str], *, recursive: bool = False) -> list[Document]:
    """All objects of the files, in order. ManifestError for what cannot be read or where there is nothing."""
    documents: list[Document] = []
    for file in files:
        if file == STDIN:
            documents += read_text(sys.stdin.read(), "STDIN")
            continue
        for path in read_paths(Path(file), recursive=recursive):
            documents += read_file(path)
    if not documents:
        raise ManifestError(f"no objects in {', '.join(files)}")
    return documents
