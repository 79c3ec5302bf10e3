"""
One stand-in agency as a process of its own: `python -m broker.simulation.standin CONFIG.json`.

It listens on loopback, says on standard output which port it got, and ends when its standard input
does, so that it never outlives the demo. The same program plays every agency; the configuration
says which teams it is and which formats they speak.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from broker.runtime import logs
from broker.runtime.clock import utc_now
from broker.runtime.http_client import HttpClient
from broker.runtime.http_server import serve
from broker.simulation.mailbox import Mailbox
from broker.simulation.staff import Desk, Staff
from broker.simulation.standin_control_room import ControlRoom
from broker.simulation.standin_crisis_team import CrisisTeam
from broker.simulation.standin_page import page


class TeamConfig(BaseModel):
    """One team: what it is called and what it answers unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    team: str
    role: str
    call_back: str
    key_file: Path
    usual: list[dict[str, Any]] = []
    think_s: float = 0.2


class ControlRoomConfig(BaseModel):
    """One control room: its key for intake and the secret its webhook is signed with."""

    model_config = ConfigDict(extra="forbid")

    key_file: Path
    secret_file: Path


class StandinConfig(BaseModel):
    """One process."""

    model_config = ConfigDict(extra="forbid")

    name: str
    intake: str
    port: int = 0
    teams: dict[str, TeamConfig] = {}
    control_rooms: dict[str, ControlRoomConfig] = {}


def build(config: StandinConfig, intake: HttpClient) -> Starlette:
    """Return the app of one stand-in."""
    mailbox = Mailbox()
    desks = [_desk(party, team) for party, team in config.teams.items()]
    staff = Staff(desks, intake, utc_now)
    team = CrisisTeam(mailbox, staff, utc_now)
    rooms = {party: _room(room, mailbox, intake) for party, room in config.control_rooms.items()}

    async def bars(request: Request) -> Response:
        if request.path_params["party"] not in config.teams:
            return Response(status_code=404)
        return await team.receive(request)

    async def webhook(request: Request) -> Response:
        return await rooms[request.path_params["party"]].receive(request)

    async def send(request: Request) -> Response:
        return await rooms[request.path_params["party"]].send(request)

    async def tell(request: Request) -> Response:
        asked = await request.json()
        staff.tell(asked["party"], asked["referral_id"], asked["answers"])
        return Response(status_code=204)

    async def received(request: Request) -> Response:
        since = int(request.query_params.get("since", "0"))
        return JSONResponse({**mailbox.to_json(since), "unanswered": staff.failed})

    async def home(_request: Request) -> Response:
        return HTMLResponse(page(config.name, mailbox))

    return Starlette(
        routes=[
            Route("/", home),
            Route("/received", received),
            Route("/tell", tell, methods=["POST"]),
            Route("/{party}/webhook", webhook, methods=["POST"]),
            Route("/{party}/send", send, methods=["POST"]),
            Route("/{party}/bars/{rest:path}", bars, methods=["POST"]),
            Route("/{party}/bars", bars, methods=["POST"]),
        ]
    )


async def run(config: StandinConfig) -> None:
    """Serve until standard input ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    started: asyncio.Future[int] = loop.create_future()
    ending = asyncio.create_task(_until_orphaned(stop))
    async with HttpClient(config.intake, max_connections=64) as intake:
        serving = asyncio.create_task(
            serve(
                build(config, intake),
                host="127.0.0.1",
                port=config.port,
                tls=None,
                stop=stop,
                started=started,
            )
        )
        started.add_done_callback(lambda port: _say({"port": port.result()}))
        await serving
    ending.cancel()


def main() -> None:
    """Run the stand-in that the file in the first argument describes."""
    config = StandinConfig.model_validate_json(Path(sys.argv[1]).read_text("utf-8"))
    logs.configure("WARNING", process=f"standin {config.name}")
    asyncio.run(run(config))


def _desk(party: str, team: TeamConfig) -> Desk:
    return Desk(
        party=party,
        team=team.team,
        role=team.role,
        call_back=team.call_back,
        key=team.key_file.read_text("utf-8").strip(),
        usual=team.usual,
        think_s=team.think_s,
    )


def _room(room: ControlRoomConfig, mailbox: Mailbox, intake: HttpClient) -> ControlRoom:
    return ControlRoom(
        mailbox,
        intake,
        key=room.key_file.read_text("utf-8").strip(),
        secret=room.secret_file.read_bytes().strip(),
        clock=utc_now,
    )


async def _until_orphaned(stop: asyncio.Event) -> None:
    # A pipe that ends is the one sign of a dead parent that no operating system forgets.
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb"))
    await reader.read()
    stop.set()


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
