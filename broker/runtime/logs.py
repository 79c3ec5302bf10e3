"""
JSON lines on standard error: fixed message, keys for the place, never a payload.

The message says what happened and never varies; the keys say where (`topic`, `partition`,
`offset`, `event_id`, `recipient`, `purpose`, `code`).
"""

import logging
import sys
import time
from collections.abc import Callable

import structlog

QUIET = ("aiokafka", "httpx", "httpcore", "uvicorn", "asyncio")
"""Libraries whose DEBUG lines can hold payloads or addresses, and whose INFO lines tell nobody anything."""


EVERY_S = 10.0


def configure(level: str = "INFO", *, process: str = "") -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_payload,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )
    if process:
        structlog.contextvars.bind_contextvars(process=process)


class Sparing(logging.Filter):
    """
    Lets each message of a foreign library through once in `EVERY_S`.

    aiokafka writes thousands of lines a second while a broker is away, and they hide our own.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record may pass; ours always may."""
        if not record.name.startswith(QUIET):
            return True
        # The template, not the text: it is one of a few, and its arguments vary.
        key, now = (record.name, str(record.msg)), self._now()
        if now - self._last.get(key, -EVERY_S) < EVERY_S:
            return False
        self._last[key] = now
        return True


def _without_payload(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # An exception's text and locals may hold what it was working on: keep type and place only.
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        trace, places = error.__traceback__, []
        while trace is not None:
            places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["places"] = places[-5:]
    return event
