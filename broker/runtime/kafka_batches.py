"""
How outputs become aiokafka batches, one or a few per partition, and how all of them are awaited.

A batch has one future instead of one per record, which is most of what a plain send costs, and a
failed batch knows its topic.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from broker.domain.errors import FencedError, TransportError, UnwritableError
from broker.domain.streams import Output, Partition
from broker.runtime.kafka_errors import FOREIGN, write_error

MAX_BATCH_BYTES = 256 * 1024
"""Below any sensible `max.message.bytes`: a topic refuses by batch, not by record."""


class _Sent(NamedTuple):
    topic: str
    future: "asyncio.Future[Any]"


Batches = dict[Partition, list[Any]]


def build_batches(producer: AIOKafkaProducer, outputs: Iterable[Output]) -> Batches:
    """Encode *outputs* completely, in order per partition; nothing is sent."""
    batches: Batches = {}
    for output in outputs:
        started = batches.setdefault(output.partition, [])
        if not (started and _append(started[-1], output)):
            batch = producer.create_batch()
            _append(batch, output)
            started.append(batch)
    return batches


async def send_all(producer: AIOKafkaProducer, batches: Batches) -> None:
    """
    Send *batches* and return when Kafka has acknowledged every single one.

    Raises:
        TransportError: At least one was not; the most telling one if there are several.
    """
    sent: list[_Sent] = []
    try:
        for partition, batch in _interleaved(batches):
            future = await producer.send_batch(batch, partition.topic, partition=partition.number)
            sent.append(_Sent(partition.topic, future))
        if sent:
            await asyncio.wait([s.future for s in sent], return_when=asyncio.FIRST_EXCEPTION)
    except FOREIGN as error:
        raise _worst([*_failures(sent), write_error(error, "send")]) from error
    finally:
        _retrieve_later(sent)
    if failures := _failures(sent):
        raise _worst(failures)


def _append(batch: Any, output: Output) -> bool:
    added = batch.append(
        timestamp=None, key=output.key, value=output.value, headers=list(output.headers)
    )
    return added is not None


def _interleaved(batches: Batches) -> Iterable[tuple[Partition, Any]]:
    # The second batch of a partition waits for its first, so every partition's first goes ahead.
    for nth in zip_longest(*batches.values()):
        for partition, batch in zip(batches, nth, strict=True):
            if batch is not None:
                yield partition, batch


def _failures(sent: Iterable[_Sent]) -> list[TransportError]:
    done = [s for s in sent if s.future.done()]
    return [
        write_error(error, f"send to {s.topic}", s.topic)
        for s in done
        if not s.future.cancelled() and (error := s.future.exception())
    ]


def _worst(failures: Sequence[TransportError]) -> TransportError:
    # One refused topic takes the batches of others with it, for reasons that say nothing.
    ranks = (FencedError, UnwritableError, TransportError)
    return min(failures, key=lambda e: next(n for n, r in enumerate(ranks) if isinstance(e, r)))


def _retrieve_later(sent: Iterable[_Sent]) -> None:
    # asyncio logs every exception that nobody took; one of them has been raised already.
    for s in sent:
        s.future.add_done_callback(lambda f: f.cancelled() or f.exception())
