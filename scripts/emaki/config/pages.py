"""Whether a report is one page, or an index with a page for each entry.

The Snakefile asks, since a job's outputs are known before it runs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from emaki.config.comparisons import LARGEST_CELL, SMALLEST_CELL
from emaki.config.settings import Study

PAGES = "report"  # the folder of the entries' pages, beside report.html
WIDEST = 1400  # pixels; a wider grid is made smaller on the page
MOST_ENTRIES = 20
MOST_BYTES = 12e6  # of grids on one page, which is to have less than 15 MB with all else
BYTES_PER_PIXEL = 0.2  # of WebP in base64: photographs have as much, drawings a half


def is_paged(study: Study, grids: Iterable[Mapping[str, Any]]) -> bool:
    """Whether entries have pages of their own: they are many, or their pictures are.

    `grids` are the plans of all grids, as emaki.config.comparisons.grids has them.
    """
    side = min(max(study.sampling.resolution, SMALLEST_CELL), LARGEST_CELL)
    size = BYTES_PER_PIXEL * sum(_pixels(grid, side) for grid in grids)
    return len(study.experiments) > MOST_ENTRIES or size > MOST_BYTES


def _pixels(grid: Mapping[str, Any], side: int) -> float:
    """How many pixels of pictures a grid has on the page."""
    columns, rows = len(grid["columns"]), sum(count for _, count in grid["rows"])
    return columns * rows * (side * min(1.0, WIDEST / (columns * side))) ** 2
