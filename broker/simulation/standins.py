"""Starts the stand-in agencies as processes of their own, talks to them, and ends them."""

import asyncio
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from broker.domain.errors import ConfigurationError, TransportError
from broker.runtime.http_client import HttpClient
from broker.simulation.cast import FHIR, ROLES, STANDINS, Standin
from broker.simulation.mailbox import Item, read_item
from broker.simulation.stage import Stage, standin_config

START_S: Final = 30.0
STOP_S: Final = 8.0


class Standins:
    """The stand-in agencies of one demo."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._clients: dict[str, HttpClient] = {}
        self.urls: dict[str, str] = {}

    async def start(self) -> None:
        """Start every stand-in and learn its port; raises ConfigurationError if one fails."""
        async with asyncio.TaskGroup() as group:
            for standin in STANDINS:
                group.create_task(self._start(standin))

    def addresses(self) -> dict[str, str]:
        """Return where each party's system takes messages."""
        return {
            party: f"{self.urls[party]}/{party}/{'bars' if role.format == FHIR else 'webhook'}"
            for party, role in ROLES.items()
        }

    async def tell(
        self, party: str, referral_id: str, answers: Sequence[Mapping[str, Any]]
    ) -> None:
        """Say beforehand what a party's people answer to one referral."""
        asked = {"party": party, "referral_id": referral_id, "answers": answers}
        await self._ask(party, "POST", "/tell", asked)

    async def send(self, party: str, path: str, content_type: str, body: bytes) -> dict[str, Any]:
        """Let a control room send something; returns status, answer and seconds."""
        encoded = base64.b64encode(body).decode()
        asked = {"path": path, "content_type": content_type, "body": encoded}
        found: dict[str, Any] = await self._ask(party, "POST", f"/{party}/send", asked)
        return found

    async def received(self) -> tuple[list[Item], dict[str, int]]:
        """Return everything the agencies have taken, and what they refused or could not answer."""
        items: list[Item] = []
        faults = {"forged": 0, "malformed": 0, "unanswered": 0}
        for standin in STANDINS:
            found = await self._ask(standin.parties[0], "GET", "/received")
            items += [read_item(item) for item in found["items"]]
            for fault in faults:
                faults[fault] += found[fault]
        return items, faults

    async def aclose(self) -> None:
        """End every stand-in."""
        for client in self._clients.values():
            await client.aclose()
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _start(self, standin: Standin) -> None:
        path = self._stage.folder / f"{standin.name}.json"
        path.write_text(json.dumps(standin_config(self._stage, standin), indent=2), "utf-8")
        with (self._stage.logs / f"{standin.name}.log").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "broker.simulation.standin", str(path)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                env=self._stage.environment(),
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
            )
        self._processes[standin.name] = process
        url = f"http://127.0.0.1:{await _port(process, standin)}"
        client = HttpClient(url, timeout_s=20.0)
        for party in standin.parties:
            self.urls[party], self._clients[party] = url, client

    async def _ask(self, party: str, method: str, path: str, asked: Any = None) -> Any:
        body = orjson.dumps(asked) if asked is not None else b""
        answer = await self._clients[party].exchange(method, path, body=body)
        if not 200 <= answer.status < 300:
            raise TransportError(f"a stand-in answered {answer.status} @ {path}")
        return orjson.loads(answer.body) if answer.body else None


async def _port(process: asyncio.subprocess.Process, standin: Standin) -> int:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            said = await process.stdout.readline()
        port: int = json.loads(said)["port"]
    except (TimeoutError, ValueError) as error:
        raise ConfigurationError(
            f"a stand-in does not start; its log says why @ {standin.name}.log"
        ) from error
    return port
