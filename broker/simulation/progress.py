"""Says what is being done and how long it took, on one line, on a terminal and in a pipe alike."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """
    Tells steps as they begin and end.

    Attributes:
        began: Monotonic seconds when the first step could begin.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.began = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say *what*, and in the end how long it took, or that it failed."""
        began = time.monotonic()
        self._console.print(f"{what} ... ", end="", highlight=False)
        try:
            yield
        except BaseException:
            self._console.print("[red]failed[/red]")
            raise
        self._console.print(f"{time.monotonic() - began:.1f} s", highlight=False)

    def elapsed_s(self) -> float:
        """Return seconds since the beginning."""
        return time.monotonic() - self.began
