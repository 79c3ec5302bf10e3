"""Log lines: JSON, without payloads, and sparing where a library is not."""

import io
import json
import logging
import sys

import pytest
import structlog

from broker.runtime import logs
from broker.runtime.logs import EVERY_S, Sparing

CANARY = "Zephyrine Quillfeather"


@pytest.fixture
def lines(monkeypatch):
    """What has been logged so far, as decoded JSON lines; logging is put back afterwards."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("DEBUG", process="test")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_says_what_and_where(lines):
    """The message is fixed and the place stands in keys."""
    structlog.get_logger().warning("record dead-lettered", topic="t", offset=7)

    [line] = lines()
    assert (line["event"], line["offset"], line["process"]) == ("record dead-lettered", 7, "test")


@pytest.mark.parametrize("logger", ["structlog", "stdlib", "aiokafka.producer"])
def test_an_error_shows_type_and_place_and_never_its_text(lines, logger):
    """An exception's text may quote what was being worked on."""
    error = ValueError(CANARY)
    if logger == "structlog":
        structlog.get_logger().error("stopped", exc_info=error)
    else:
        logging.getLogger(logger).error("stopped", exc_info=error)

    assert CANARY not in json.dumps(lines())
    assert len(lines()) == 1


def test_debug_lines_of_libraries_stay_away(lines):
    """The DEBUG lines of aiokafka hold whole records."""
    logging.getLogger("aiokafka.producer.producer").debug("Sending %s", CANARY)
    logging.getLogger("httpx").debug("body %s", CANARY)

    assert lines() == []


def test_a_repeated_library_message_passes_once_in_a_while():
    """Thousands of the same warning do not hide our own lines."""
    now = [0.0]
    sparing = Sparing(lambda: now[0])
    record = logging.LogRecord("aiokafka.client", logging.WARNING, "", 1, "away: %s", ("x",), None)
    own = logging.LogRecord("broker", logging.WARNING, "", 1, "away: %s", ("x",), None)

    first, second = sparing.filter(record), sparing.filter(record)
    now[0] = EVERY_S
    third = sparing.filter(record)

    assert (first, second, third) == (True, False, True)
    assert sparing.filter(own)
    assert sparing.filter(own)
