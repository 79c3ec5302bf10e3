"""
The release process: cuts every event down to what each recipient's agreement allows.

One worker per partition the group assigns to us. A rebalance stops nobody: whoever takes a
partition over fences the worker that had it.
"""

import asyncio
from functools import partial

import structlog

from broker.codec import wire
from broker.codec.agreement_toml import load_book
from broker.codec.catalogue import load_catalogue
from broker.domain.errors import TransportError
from broker.domain.streams import Assigned, Log, Membership, Partition
from broker.processes.release_batch import Frames
from broker.processes.release_decider import Decider
from broker.processes.release_lanes import Lanes
from broker.processes.release_worker import PartitionWorker, Site
from broker.processes.subjects import Subjects
from broker.runtime import metrics
from broker.runtime.clock import Clock, utc_now
from broker.runtime.health import Health
from broker.runtime.registry import open_registry
from broker.runtime.settings import Settings
from broker.runtime.topics import events_topic
from broker.runtime.waiting import wait_or_stop

log = structlog.get_logger()

TEND_S = 1.0
UNHEARD_S = 30.0
STOP_S = 15.0
"""How long workers may take to finish their transaction after the stop."""


class Release:
    """Runs one worker per assigned partition."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._workers: dict[int, tuple[asyncio.Task[None], asyncio.Event, PartitionWorker]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._owned: frozenset[int] = frozenset()

    async def assigned(self, partitions: frozenset[Partition]) -> None:
        """Start workers of new partitions and stop those of lost ones; empty: a change is coming."""
        self._owned = frozenset(partition.number for partition in partitions)
        metrics.PARTITIONS_OWNED.set(len(self._owned))
        if not partitions:
            return
        for number in self._workers.keys() - self._owned:
            task, stop, _ = self._workers.pop(number)
            stop.set()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        self.tend()

    def tend(self) -> None:
        """Start a worker for every partition that is ours and has none, or none any more."""
        for number, (task, _, _) in list(self._workers.items()):
            if task.done() and not task.cancelled() and task.exception() is None:
                del self._workers[number]
        for number in sorted(self._owned - self._workers.keys()):
            stop = asyncio.Event()
            worker = PartitionWorker(self._site, number, is_owned=partial(self._owns, number))
            task = asyncio.create_task(worker.run(stop), name=f"release-{number}")
            self._workers[number] = (task, stop, worker)

    def _owns(self, number: int) -> bool:
        return number in self._owned

    def not_working(self) -> str | None:
        """Return why this process is not ready, or None."""
        idle = [n for n, (_, _, worker) in self._workers.items() if not worker.working]
        return f"{len(idle)} partitions are not being released" if idle else None

    def failed(self) -> BaseException | None:
        """Return the error of a worker that a defect has stopped, or None."""
        for task, _, _ in self._workers.values():
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def aclose(self) -> None:
        """Let every worker finish its transaction; cut off those that cannot."""
        for _, stop, _ in self._workers.values():
            stop.set()
        tasks = [*self._leaving, *(task for task, _, _ in self._workers.values())]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_S)
            for task in late:
                task.cancel()


class Place:
    """Our place in the group; taken anew when the group has not heard of us for too long."""

    def __init__(self, kafka: Log, group: str, topic: str, assigned: Assigned) -> None:
        self._kafka = kafka
        self._asked = (group, topic, assigned)
        self._membership: Membership | None = None
        self._unheard_s = 0.0

    @property
    def healthy(self) -> bool:
        """Whether the group hears us."""
        return self._membership is not None and self._membership.healthy

    async def keep(self) -> None:
        """Join, or join anew after `UNHEARD_S`: a membership that died never comes back by itself."""
        if self._membership is None:
            await self._join()
            return
        self._unheard_s = 0.0 if self.healthy else self._unheard_s + TEND_S
        if self._unheard_s >= UNHEARD_S:
            log.error("the group does not hear us, joining again")
            await self.leave()
            await self._join()

    async def leave(self) -> None:
        """Leave the group; nothing is ours from then on."""
        membership, self._membership = self._membership, None
        self._unheard_s = 0.0
        if membership is not None:
            await membership.aclose()
            await self._asked[-1](frozenset())

    async def _join(self) -> None:
        try:
            self._membership = await self._kafka.join(*self._asked)
        except TransportError as error:
            # Kafka may be away when we are started: whoever starts us need not know.
            log.warning("no place in the group yet", code=error.code, rule=str(error))


async def build_site(settings: Settings, kafka: Log, clock: Clock = utc_now) -> Site:
    """Load schemas, agreements and secrets; raises what is wrong with them before any traffic."""
    catalogue = load_catalogue(settings.schemas_dir)
    book = load_book(settings.agreements_dir, catalogue)
    secret = settings.secret()
    registry = open_registry(settings)
    lanes = Lanes(catalogue=catalogue, book=book, registry=registry, namespace=settings.namespace)
    ids = Subjects(registry, settings.namespace)
    decider = Decider(
        events={await ids.event(event): event for event in catalogue.events.values()},
        envelope_schema=catalogue.type_schema("crisis.types.Envelope"),
        lanes=lanes,
        secret=secret,
        environment=settings.environment,
        reference_check=settings.release.reference_check,
        max_view_bytes=settings.release.max_view_bytes,
    )
    return Site(
        log=kafka,
        decider=decider,
        lanes=lanes,
        frames=Frames(
            disclosure=wire.frame(await ids.disclosure()), held=wire.frame(await ids.held())
        ),
        namespace=settings.namespace,
        cluster=settings.cluster,
        secret=secret,
        settings=settings.release,
        clock=clock,
    )


async def run(settings: Settings, stop: asyncio.Event, kafka: Log, health: Health) -> None:
    """Release until *stop*; a defect in a worker stops the process, so that somebody looks."""
    health.add("group", lambda: "the group does not hear us")
    site = await _site(settings, kafka, stop)
    if site is None:
        return
    release = Release(site)
    place = Place(kafka, site.group, events_topic(settings.namespace), release.assigned)
    health.add("group", lambda: None if place.healthy else "the group does not hear us")
    health.add("partitions", release.not_working)
    log.info("releasing", topic=events_topic(settings.namespace))
    compiling = asyncio.create_task(_compile_ahead(site))
    today = site.clock().date()
    try:
        while not stop.is_set():
            if (defect := release.failed()) is not None:
                raise defect
            release.tend()
            await place.keep()
            if site.clock().date() != today:
                today = site.clock().date()
                site.lanes.turn_day(today)
                compiling.cancel()
                compiling = asyncio.create_task(_compile_ahead(site))
            await wait_or_stop(stop, TEND_S)
    finally:
        compiling.cancel()
        await release.aclose()
        await place.leave()


async def _compile_ahead(site: Site) -> None:
    try:
        await site.lanes.make_all()
    except TransportError as error:
        # The registry may be away: whatever is still missing is made when it is needed.
        log.warning("lanes are not all compiled", code=error.code, rule=str(error))


async def _site(settings: Settings, kafka: Log, stop: asyncio.Event) -> Site | None:
    while not stop.is_set():
        try:
            return await build_site(settings, kafka)
        except TransportError as error:
            log.warning("registry does not answer", code=error.code, rule=str(error))
        await wait_or_stop(stop, TEND_S)
    return None
