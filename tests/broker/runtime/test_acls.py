"""The planned ACLs give every topic the writers and readers that the design names."""

from hypothesis import given
from hypothesis import strategies as st

from broker.runtime.acls import AclSpec, Operation, Resource, plan_acls
from broker.runtime.topics import (
    dead_letters_topic,
    disclosures_topic,
    events_topic,
    held_topic,
    plan,
    release_topic,
)

NAMES = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
LANES = st.lists(st.tuples(NAMES, NAMES), max_size=6)


def _who(acls: tuple[AclSpec, ...], operation: Operation, topic: str) -> set[str]:
    return {
        acl.principal.removeprefix("User:")
        for acl in acls
        if acl.resource is Resource.TOPIC and acl.operation is operation and acl.name == topic
    }


@given(LANES)
def test_a_lane_has_one_writer_and_one_reader(lanes: list[tuple[str, str]]) -> None:
    """Release writes it, its own recipient's deliver reads it, nobody else does either."""
    acls = plan_acls("crisis", lanes, "local")

    for recipient, purpose in lanes:
        topic = release_topic("crisis", recipient, purpose)
        assert _who(acls, Operation.WRITE, topic) == {"release"}
        assert _who(acls, Operation.READ, topic) == {f"deliver-{recipient}"}


@given(LANES)
def test_nothing_is_allowed_beyond_the_planned_topics(lanes: list[tuple[str, str]]) -> None:
    """Topics are named one by one, never by a beginning."""
    acls = [a for a in plan_acls("crisis", lanes, "local") if a.resource is Resource.TOPIC]

    assert {acl.name for acl in acls} == {spec.name for spec in plan("crisis", lanes)}
    assert not any(acl.prefixed for acl in acls)


def test_each_topic_has_the_users_of_the_design() -> None:
    """Only intake and watch write events; only release and watch read them."""
    acls = plan_acls("crisis", [("north", "crisis-response")], "local")

    assert {
        topic: (_who(acls, Operation.WRITE, topic), _who(acls, Operation.READ, topic))
        for topic in (events_topic(), disclosures_topic(), held_topic(), dead_letters_topic())
    } == {
        events_topic(): ({"intake", "watch"}, {"release", "watch"}),
        disclosures_topic(): ({"release"}, {"intake", "release", "watch"}),
        held_topic(): ({"release"}, {"release", "watch"}),
        dead_letters_topic(): ({"release"}, {"watch"}),
    }


def test_only_release_may_join_its_group_and_open_transactions() -> None:
    """The transactional ids carry cluster and namespace, so installations cannot fence each other."""
    acls = plan_acls("crisis", [("north", "crisis-response")], "local")

    assert [str(acl) for acl in acls if acl.resource is not Resource.TOPIC] == [
        "User:release may read group crisis.release",
        "User:release may write transactional-id release-local-crisis-*",
    ]
