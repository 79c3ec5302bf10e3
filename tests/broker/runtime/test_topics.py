"""The planned topics keep what the design promises about them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.domain.errors import ConfigurationError
from broker.runtime.topics import (
    DEFAULT_PARTITIONS,
    ORIGINAL_BYTES,
    PAYLOAD_BYTES,
    Change,
    ChangeKind,
    TopicSpec,
    compare,
    dead_letters_topic,
    disclosures_topic,
    events_topic,
    held_topic,
    plan,
    release_topic,
)

DAY_MS = 86_400_000
NAMES = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)
LANES = st.lists(st.tuples(NAMES, NAMES), max_size=6)


def _spec(name: str, *, replication: int = 1) -> TopicSpec:
    specs = plan("crisis", [("north", "crisis-response")], replication=replication)
    return next(spec for spec in specs if spec.name == name)


def test_names_are_those_of_the_design() -> None:
    """Every topic begins with its namespace; a lane's name holds recipient and purpose."""
    names = [spec.name for spec in plan("crisis", [("north", "crisis-response")])]

    assert names == [
        "crisis.deadletters",
        "crisis.disclosures",
        "crisis.events",
        "crisis.held",
        "crisis.release.north.crisis-response",
    ]


@given(LANES)
def test_all_topics_have_the_same_partitions_and_are_never_compacted(
    lanes: list[tuple[str, str]],
) -> None:
    """What is read from p is written to p; payload is deleted by age, never by key."""
    specs = plan("crisis", lanes)

    assert {spec.partitions for spec in specs} == {DEFAULT_PARTITIONS}
    assert {spec.config["cleanup.policy"] for spec in specs} == {"delete"}
    assert len(specs) == 4 + len(set(lanes))


@given(LANES, LANES)
def test_another_lane_changes_no_topic(
    lanes: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    """Adding an agreement only adds topics."""
    assert set(map(repr, plan("crisis", lanes))) <= set(map(repr, plan("crisis", lanes + more)))


@given(LANES.filter(bool))
def test_different_lanes_never_share_a_topic(lanes: list[tuple[str, str]]) -> None:
    """The dots of a name are ours alone, so no two lanes can spell the same topic."""
    names = {lane: release_topic("crisis", *lane) for lane in lanes}

    assert len(set(names.values())) == len(names)


def test_what_is_held_outlives_its_event_by_weeks() -> None:
    """A pair that waits for a person is still there when the person is back."""
    spec = _spec(held_topic())
    retention_ms, span_ms = (int(spec.config[k]) for k in ("retention.ms", "segment.ms"))

    assert retention_ms + span_ms == 90 * DAY_MS


def test_no_other_payload_is_older_than_seven_days() -> None:
    """Retention and what a segment spans together are 7 days, since Kafka deletes by segment."""
    for spec in plan("crisis", [("north", "crisis-response")]):
        if spec.name not in (disclosures_topic(), held_topic()):
            retention_ms, span_ms = (int(spec.config[k]) for k in ("retention.ms", "segment.ms"))
            assert retention_ms + span_ms == 7 * DAY_MS


def test_disclosures_are_kept_eight_years() -> None:
    """At least eight years with their leap days, even without what the segment spans."""
    spec = _spec("crisis.disclosures")

    assert int(spec.config["retention.ms"]) == (8 * 365 + 2) * DAY_MS


@pytest.mark.parametrize(("replication", "minimum"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_two_of_three_replicas_must_have_a_record(replication: int, minimum: str) -> None:
    """Three brokers survive one; a single broker must not wait for a second."""
    spec = _spec("crisis.events", replication=replication)

    assert spec.config["min.insync.replicas"] == minimum
    assert spec.config["unclean.leader.election.enable"] == "false"


def test_whatever_came_in_can_also_be_held_or_dead_lettered() -> None:
    """The topics that wrap records of others take larger ones."""
    specs = {spec.name: spec for spec in plan("crisis", [])}

    assert {name: int(spec.config["max.message.bytes"]) for name, spec in specs.items()} == {
        events_topic(): PAYLOAD_BYTES,
        disclosures_topic(): PAYLOAD_BYTES,
        held_topic(): ORIGINAL_BYTES,
        dead_letters_topic(): ORIGINAL_BYTES,
    }
    assert ORIGINAL_BYTES > PAYLOAD_BYTES


def test_a_producers_clock_cannot_delete_a_referral() -> None:
    """Age is counted from when the broker got the record."""
    for spec in plan("crisis", [("north", "crisis-response")]):
        assert spec.config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("name", ["", "North", "north.east", "north_east", "n" * 41, "é", "a\n"])
def test_a_lane_that_is_no_topic_name_is_refused(name: str) -> None:
    """The error says the rule and not the name."""
    for recipient, purpose in ((name, "crisis-response"), ("north", name)):
        with pytest.raises(ConfigurationError, match="1 to 40 of a-z, 0-9 and -"):
            release_topic("crisis", recipient, purpose)


@pytest.mark.parametrize("namespace", ["", "Crisis", "1crisis", "a.b", "crisis_1", "c" * 41])
def test_a_namespace_that_could_collide_is_refused(namespace: str) -> None:
    """A dot would let two namespaces spell the same topic."""
    for name in (events_topic, disclosures_topic, held_topic, dead_letters_topic):
        with pytest.raises(ConfigurationError, match="a namespace begins with a letter"):
            name(namespace)


def test_compare_finds_nothing_where_settings_agree() -> None:
    """Settings that the plan does not name are not its business."""
    spec = _spec("crisis.events")
    actual = replace(spec, config={**spec.config, "flush.ms": "1"})

    assert compare(spec, actual) is None


def test_compare_names_each_kind_of_difference() -> None:
    """Missing is created, other settings are configured, other partitions are a mismatch."""
    spec = _spec("crisis.events")
    drifted = replace(spec, config={**spec.config, "retention.ms": "1"})

    kinds = [
        compare(spec, None),
        compare(spec, drifted),
        compare(spec, replace(drifted, partitions=6)),
        compare(spec, replace(spec, replication=3)),
    ]

    assert [change.kind for change in kinds if change] == [
        ChangeKind.CREATE,
        ChangeKind.CONFIGURE,
        ChangeKind.MISMATCH,
        ChangeKind.MISMATCH,
    ]


def test_a_change_reads_as_a_sentence() -> None:
    """What `topics plan` prints is what changes, where and how."""
    change = Change(
        kind=ChangeKind.MISMATCH, topic="crisis.held", detail="partitions 6, planned 12"
    )

    assert str(change) == "mismatch crisis.held: partitions 6, planned 12"
