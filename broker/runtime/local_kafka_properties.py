"""Writes the ``server.properties`` of the local Kafka: one node, this machine only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"

# One node can keep one copy only; few internal partitions make it start and stop quickly.
# After a kill, the controller waits for the old broker's session to end before it takes the new.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.max.timeout.ms=60000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.segment.bytes=104857600
log.index.size.max.bytes=1048576
controlled.shutdown.enable=true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """
    The ports of one local Kafka.

    Attributes:
        port: Where clients connect without a name.
        controller_port: Kafka's own.
        sasl_port: Where clients connect as a user, when there is an authorizer; else None.
        users: Who may connect there.
        password: The same for all of them; made anew for each data folder.
    """

    port: int
    controller_port: int
    sasl_port: int | None = None
    users: Sequence[str] = ()
    password: str = field(default="", repr=False)


def server_properties(data: Path, ports: Listeners) -> str:
    """Write the settings as text; clients without a name may do everything."""
    public = [f"PLAINTEXT://{HOST}:{ports.port}"]
    if ports.sasl_port is not None:
        public.append(f"SASL://{HOST}:{ports.sasl_port}")
    lines = [
        f"log.dirs={data}",
        f"controller.quorum.voters=1@{HOST}:{ports.controller_port}",
        f"advertised.listeners={','.join(public)}",
        f"listeners={','.join(public)},CONTROLLER://{HOST}:{ports.controller_port}",
    ]
    if ports.sasl_port is not None:
        lines += _authorizer(ports)
    return _escape(_SETTINGS + "\n".join(lines) + "\n")


def _escape(text: str) -> str:
    # Java reads property files as ISO 8859-1, and folders may be called anything.
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text)


def _authorizer(ports: Listeners) -> list[str]:
    users = " ".join(f'user_{user}="{ports.password}"' for user in ports.users)
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return [
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:admin;User:ANONYMOUS",
        "allow.everyone.if.no.acl.found=false",
        "listener.name.sasl.sasl.enabled.mechanisms=PLAIN",
        f"listener.name.sasl.plain.sasl.jaas.config={plain} required {users};",
    ]
