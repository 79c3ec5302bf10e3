"""
Reads and changes the ACLs of a Kafka cluster.

aiokafka knows the requests but its admin client has no methods for them, hence the requests here.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from broker.runtime.acls import AclSpec, Operation, Resource
from broker.runtime.kafka_admin_client import administer, raise_for, until_seen
from broker.runtime.kafka_connection import KafkaSecurity

# Numbers of Kafka's protocol: org.apache.kafka.common.resource and .acl.
_RESOURCES: Final = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.TRANSACTIONAL_ID: 5}
_OPERATIONS: Final = {Operation.READ: 3, Operation.WRITE: 4}
_LITERAL, _PREFIXED = 3, 4
_ALLOW: Final = 3
_ANY: Final = 1
_ANY_HOST: Final = "*"

Entry = tuple[int, str, int, str, str, int, int]
"""Resource type, name, pattern type, principal, host, operation, permission."""


async def list_acls(bootstrap: str, security: KafkaSecurity | None = None) -> frozenset[AclSpec]:
    """
    Return what is allowed now; entries that no `AclSpec` can say are left out.

    Raises:
        ConfigurationError: The cluster has no authorizer, or we may not ask.
        TransportError: It did not answer.
    """
    async with administer(bootstrap, security) as admin:
        return await _present(admin)


async def create_acls(
    bootstrap: str, acls: Iterable[AclSpec], security: KafkaSecurity | None = None
) -> tuple[AclSpec, ...]:
    """
    Allow what is not allowed yet; everything else that is allowed stays allowed.

    Returns:
        What was added. Raises as `list_acls`.
    """
    async with administer(bootstrap, security) as admin:
        missing = set(acls) - await _present(admin)
        # Any broker hands it to the controller.
        await asyncio.gather(*(_change(admin, CreateAclsRequest, acl) for acl in missing))
        await until_seen(lambda: _are_present(admin, missing))
        return tuple(sorted(missing))


async def delete_acls(
    bootstrap: str, acls: Iterable[AclSpec], security: KafkaSecurity | None = None
) -> None:
    """Stop allowing exactly these; what is not allowed anyway is no error. Raises as `list_acls`."""
    unwanted = set(acls)
    async with administer(bootstrap, security) as admin:
        await asyncio.gather(*(_change(admin, DeleteAclsRequest, acl) for acl in unwanted))
        await until_seen(lambda: _are_gone(admin, unwanted))


async def _change(
    admin: AIOKafkaAdminClient, request: type[CreateAclsRequest | DeleteAclsRequest], acl: AclSpec
) -> None:
    response = await admin._send_request(request(*_entry(acl)))  # noqa: SLF001 (no public way)
    for answers in response.to_object().values():
        for answer in answers if isinstance(answers, list) else ():
            raise_for(answer["error_code"], str(acl))


async def _are_present(admin: AIOKafkaAdminClient, acls: set[AclSpec]) -> bool:
    return acls <= await _present(admin)


async def _are_gone(admin: AIOKafkaAdminClient, acls: set[AclSpec]) -> bool:
    return acls.isdisjoint(await _present(admin))


async def _present(admin: AIOKafkaAdminClient) -> frozenset[AclSpec]:
    everything = DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY)
    response = await admin._send_request(everything)  # noqa: SLF001 (no public way)
    raise_for(response.error_code, "acls")
    found = [
        _acl((resource, name, pattern, *entry))
        for resource, name, pattern, entries in response.resources
        for entry in entries
    ]
    return frozenset(acl for acl in found if acl)


def _entry(acl: AclSpec) -> Entry:
    pattern = _PREFIXED if acl.prefixed else _LITERAL
    what, operation = _RESOURCES[acl.resource], _OPERATIONS[acl.operation]
    return (what, acl.name, pattern, acl.principal, _ANY_HOST, operation, _ALLOW)


def _acl(entry: Entry) -> AclSpec | None:
    for resource, what in _RESOURCES.items():
        for operation in _OPERATIONS:
            acl = AclSpec(
                principal=entry[3],
                resource=resource,
                name=entry[1],
                operation=operation,
                prefixed=entry[2] == _PREFIXED,
            )
            if what == entry[0] and _entry(acl) == entry:
                return acl
    return None
