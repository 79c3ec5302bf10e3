"""Where tables are drawn: as wide as the terminal, and wide where there is none."""

import os
import sys
from typing import Final

from rich.console import Console

PIPE_WIDTH: Final = 160


def screen() -> Console:
    """Return a console for standard output that folds names only where a terminal is narrow."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else PIPE_WIDTH)
