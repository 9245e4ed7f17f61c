"""Plain aligned tables, as kubectl prints them: three spaces between columns, nothing else."""

from collections.abc import Sequence

import click

Row = Sequence[str]


class Table:
    """Prints rows as they come; widths only grow, so that later rows of a watch stay under their headings."""

    def __init__(self, headings: Row, *, show: bool = True) -> None:
        self._headings = headings
        self._show = show
        self._widths = [0] * len(headings)

    def print(self, rows: Sequence[Row]) -> None:
        """Print rows, below the headings if these are the first."""
        lines = [self._headings, *rows] if self._show else list(rows)
        self._show = False
        for line in lines:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, line, strict=True)]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, self._widths, strict=True))
            click.echo("   ".join(padded).rstrip())


def print_table(headings: Row, rows: Sequence[Row], indent: str = "") -> None:
    """One table, whole."""
    widths = [max(len(line[at]) for line in (headings, *rows)) for at in range(len(headings))]
    for line in (headings, *rows):
        click.echo(
            indent + "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
