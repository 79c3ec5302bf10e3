"""
Words planted in every text of a referral turn up where they were granted, and nowhere else.

Looked at: release topics, keys and headers of all topics, disclosures, headers of dead letters, what
agencies get, inboxes, logs of every process at DEBUG, metrics, and the names of files.
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker.codec import avro, wire
from broker.codec.agreement_toml import load_book
from broker.codec.canonical_json import write_body
from broker.codec.catalogue import EventSchema, load_catalogue
from broker.domain.decisions import Plan
from broker.domain.facts import derive_facts
from broker.domain.streams import Output, Partition, Record
from broker.runtime import topics
from tests.faults.accounts import read_topics, settle
from tests.faults.installation import POLICE, Installation
from tests.faults.load import ROUTES
from tests.referral_in_full import REFERRAL_IN_FULL

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

REFERRALS = 12
WORD = re.compile(rb"zq[0-9a-f]{12}")
FIXED = frozenset({"safeguarding_decision", "sha256", "media_type", "url", "offset"})
"""Texts with a form of their own; a word there would be refused or change who may get it."""


@dataclass(slots=True)
class Planted:
    """Words by the leaf they stand in."""

    event: EventSchema
    leaf_of: dict[str, str] = field(default_factory=dict)
    _named: dict[str, Any] = field(default_factory=dict)

    def body(self, native: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body like *native* with a fresh word in every text."""
        parts = self.event.schema["fields"][1:]
        self._learn(self.event.schema["fields"][0]["type"])
        return {
            each["name"]: self._copy(each["type"], native[each["name"]], each["name"])
            for each in parts
        }

    def _copy(self, schema: Any, value: Any, path: str) -> Any:
        if value is None:
            return None
        schema = self._learn(schema)
        if isinstance(schema, list):
            (branch,) = (each for each in schema if each != "null")
            return self._copy(branch, value, path)
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind == "record":
            return {
                each["name"]: self._copy(
                    each["type"], value[each["name"]], f"{path}.{each['name']}"
                )
                for each in schema["fields"]
            }
        if kind == "array":
            return [self._copy(schema["items"], each, path) for each in value]
        if kind == "string" and path.rpartition(".")[2] not in FIXED and self._leaf(path):
            return self._word(path, value)
        return value

    def _learn(self, schema: Any) -> Any:
        if isinstance(schema, str):
            return self._named.get(schema, schema)
        if isinstance(schema, dict) and schema.get("type") in ("record", "enum"):
            self._named[f"{schema['namespace']}.{schema['name']}"] = schema
            for each in schema.get("fields", ()):
                for inner in each["type"] if isinstance(each["type"], list) else [each["type"]]:
                    self._learn(inner.get("items", inner) if isinstance(inner, dict) else inner)
        return schema

    def _leaf(self, path: str) -> str:
        parts = path.split(".")
        tried = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((each for each in tried if each in self.event.leaves), "")

    def _word(self, path: str, value: str) -> str:
        if "date" in self._leaf(path):
            return value
        word = f"zq{secrets.token_hex(6)}"
        self.leaf_of[word] = self._leaf(path)
        return word


def _allowed(planted: Planted, plan: Plan) -> set[str]:
    whole = {path for path, reduction in plan.released.items() if reduction is None}
    return {word for word, leaf in planted.leaf_of.items() if leaf in whole}


def _words(content: bytes) -> set[str]:
    return {found.decode() for found in WORD.findall(content)}


def _documents(planted: Planted, count: int) -> Iterator[dict[str, Any]]:
    native = {name: value for name, value in REFERRAL_IN_FULL.items() if name != "envelope"}
    for number in range(count):
        yield {
            "event_type": "referral_made",
            "reference": f"MP-20261122-{number:04d}",
            "sequence": 1,
            "occurred_at": "2026-11-22T14:02:11+00:00",
            "environment": "test",
            "urgency": {"scheme": "ukmhts", "version": "1", "code": "B"},
            "routes": [{"recipient": who, "purpose": why} for who, why in ROUTES],
            "body": write_body(planted.event, {"envelope": {}, **planted.body(native)}),
        }


async def test_planted_words_stay_where_they_were_granted(site: Installation):
    """No withheld word reaches a view, a key, a header, a log line, a metric or a file name."""
    catalogue = load_catalogue()
    planted = Planted(catalogue.event("referral_made"))
    await site.start_all()
    load = site.load()
    for document in _documents(planted, REFERRALS):
        await load.see_through([document])
    assert load.refused == []
    poison = next(iter(planted.leaf_of)).encode()
    await _write_garbage(site, poison)
    await settle(site, load.accepted)

    found = await read_topics(site.log, site.topics())
    events = [record.value for record in found[topics.events_topic(site.stage.settings.namespace)]]
    stored = {word for value in events for word in _words(value)}
    native = avro.decode(planted.event.schema, _first_made(events))
    facts = derive_facts(native)
    book = load_book(site.stage.settings.agreements_dir, catalogue)
    granted = {
        lane: _allowed(planted, book.plan(POLICE, *lane, planted.event, facts)) for lane in ROUTES
    }

    leaks = {
        f"view on {lane}": _words(record.value) - granted.get(lane, set())
        for lane, name in site.release_topics().items()
        for record in found[name]
    }
    leaks |= {
        f"body at {party}": _words(body) - granted[ROUTES[0]]
        for party, got in site.agencies.received.items()
        for _, body in got
    }
    leaks |= {
        f"{place} of {name}": _words(content)
        for name, records in found.items()
        for place, content in _outside_of_values(records)
    }
    leaks |= {f"log {name}": _words(text.encode()) for name, text in site.logs().items()}
    for each in site.running.values():
        scraped = await each.ops.exchange("GET", "/metrics")
        leaks[f"metrics of {each.name}"] = _words(scraped.body)
    disclosures = found[topics.disclosures_topic(site.stage.settings.namespace)]
    leaks["disclosures"] = {word for record in disclosures for word in _words(record.value)}
    leaks |= {f"name of {path}": _words(str(path).encode()) for path in _files(site)}
    leaks |= {
        f"content of {path}": _words(path.read_bytes())
        for path in _files(site)
        if "deliver" in path.parts
    }

    assert {place: words for place, words in leaks.items() if words} == {}
    assert stored == planted.leaf_of.keys() | {poison.decode()}
    assert len(stored) > 100 * REFERRALS
    for lane, name in site.release_topics().items():
        seen = {word for record in found[name] for word in _words(record.value)}
        assert bool(seen) == (lane in ROUTES), lane
    assert "view delivered" in "".join(site.logs().values())


async def _write_garbage(site: Installation, word: bytes) -> None:
    # What no schema fits becomes a dead letter, whose headers must not quote it.
    producer = await site.log.open_producer()
    topic = topics.events_topic(site.stage.settings.namespace)
    await producer.send(Output(partition=Partition(topic, 0), key=None, value=b"\x00none" + word))
    await producer.aclose()


def _first_made(events: Sequence[bytes]) -> bytes:
    for value in events:
        if _words(value) and len(value) > 1000:
            return value[wire.unframe(value)[1] :]
    raise AssertionError("no referral in the log")


def _outside_of_values(records: Sequence[Record]) -> Iterator[tuple[str, bytes]]:
    for record in records:
        yield "key", record.key or b""
        for name, value in record.headers:
            yield f"header {name}", value


def _files(site: Installation) -> list[Path]:
    return [path for path in site.stage.folder.rglob("*") if path.is_file()]
