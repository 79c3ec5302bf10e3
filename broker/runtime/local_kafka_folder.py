"""Names what is in the data folder of a local Kafka."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TAIL_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class KafkaFolder:
    """The data folder; *path* is absolute."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops this Kafka."""
        return self.path / "lock"

    @property
    def pid(self) -> Path:
        """Process id of the last start."""
        return self.path / "pid"

    @property
    def ports(self) -> Path:
        """Ports, users and password of the last start."""
        return self.path / "ports.json"

    @property
    def settings(self) -> Path:
        """Kafka's own settings; its path on the command line is how Kafka is recognised."""
        return self.path / "server.properties"

    @property
    def data(self) -> Path:
        """Kafka's storage."""
        return self.path / "data"

    @property
    def formatted(self) -> Path:
        """Exists once the storage has been formatted from beginning to end."""
        return self.path / "formatted"

    @property
    def output(self) -> Path:
        """What the Java process prints."""
        return self.path / "output.log"

    @property
    def log(self) -> Path:
        """What Kafka logs."""
        return self.path / "server.log"

    def last_words(self) -> str:
        """Quote what Kafka wrote last, without stack frames."""
        lines: list[str] = []
        for path in (self.output, self.log):
            if path.exists():
                lines += path.read_text("utf-8", errors="replace").splitlines()
        said = [line for line in lines if line.strip() and not line.startswith("\t")]
        return "; its last words:\n" + "\n".join(f"  {line}" for line in said[-_TAIL_LINES:])
