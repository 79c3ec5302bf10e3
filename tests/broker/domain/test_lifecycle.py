"""Responsibility is never nobody's, whatever comes in whatever order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.domain.lifecycle import (
    Deadline,
    Due,
    Flag,
    Referral,
    Stage,
    Step,
    advance,
    begin,
    follow,
)

POLICE, NORTH, LIAISON = "midshire-police", "northvale-crisis", "northvale-liaison"
START = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
ANSWERS = (
    "referral_received",
    "referral_acknowledged",
    "referral_accepted",
    "referral_declined",
    "referral_outcome",
)
OTHERS = (
    "referral_updated",
    "referral_withdrawn",
    "referral_taken_back",
    "referral_phone_handover",
)


def made(rank: str = "urgent") -> Step:
    """Return the making of a referral by the police."""
    return Step(event_type="referral_made", party=POLICE, at=START, rank=rank)


def step(event_type: str, party: str, minute: int = 1, **more: object) -> Step:
    """Return one later step."""
    at = START + timedelta(minutes=minute)
    return Step(event_type=event_type, party=party, at=at, **more)  # type: ignore[arg-type]


def state(*steps: Step) -> Referral:
    """Return the referral after its making and *steps*."""
    found = follow([made(), *steps])
    assert found is not None
    return found


steps = st.builds(
    Step,
    event_type=st.sampled_from([*ANSWERS, *OTHERS, "referral_dreamt"]),
    party=st.sampled_from([POLICE, NORTH, LIAISON]),
    at=st.integers(0, 300).map(lambda minute: START + timedelta(minutes=minute)),
    team=st.sampled_from(["", "CRHT North"]),
    to_party=st.sampled_from(["", NORTH, LIAISON]),
    due_at=st.none() | st.just(START + timedelta(hours=4)),
)


@given(st.lists(steps, max_size=12))
def test_the_holder_is_never_nobody(some: list[Step]) -> None:
    """After any steps in any order somebody named is responsible."""
    found = state(*some)

    assert found.holder.party
    assert found.holder.title


@given(st.lists(steps, max_size=12))
def test_only_four_kinds_of_step_move_responsibility(some: list[Step]) -> None:
    """The holder changes by acceptance, phone hand-over, take-back or withdrawal alone."""
    before = begin(made())
    for each in some:
        after = advance(before, each)
        if after.holder != before.holder:
            assert each.event_type in {
                "referral_accepted",
                "referral_phone_handover",
                "referral_taken_back",
                "referral_withdrawn",
            }
        before = after


@given(st.lists(steps, max_size=12))
def test_nobody_forgets_an_unaccepted_referral(some: list[Step]) -> None:
    """As long as nobody has accepted, and it is neither withdrawn nor closed, a clock runs."""
    found = state(*some)

    if found.accepted_at is None and found.stage not in (Stage.WITHDRAWN, Stage.CLOSED):
        assert found.deadline is not None


@given(st.lists(steps, max_size=12), steps)
def test_flags_only_grow(some: list[Step], last: Step) -> None:
    """What a person should look at is not taken away by a later step."""
    before = state(*some)

    assert before.flags <= advance(before, last).flags


def test_the_sender_holds_what_was_only_received() -> None:
    """A machine's receipt and a person's glance move nothing."""
    found = state(step("referral_received", NORTH), step("referral_acknowledged", NORTH))

    assert found.holder.party == POLICE
    assert found.stage is Stage.ACKNOWLEDGED
    assert found.deadline == Deadline(what=Due.ACCEPT, at=START + timedelta(minutes=30))


def test_an_unknown_urgency_counts_as_the_highest() -> None:
    """A rank never heard of gets the shortest clock."""
    assert begin(made("blue")).deadline == begin(made("immediate")).deadline


def test_acceptance_moves_responsibility_to_the_team() -> None:
    """The accepting team is the holder, and what it promised is what is awaited."""
    due = START + timedelta(hours=4)

    found = state(
        step("referral_accepted", NORTH, team="CRHT North", role="shift lead", due_at=due)
    )

    assert (found.holder.title, found.holder.role) == ("CRHT North", "shift lead")
    assert found.deadline == Deadline(what=Due.SEEN, at=due)


def test_a_receipt_after_the_acceptance_takes_nothing_back() -> None:
    """Events that overtake each other do not undo one another."""
    found = state(step("referral_accepted", NORTH), step("referral_received", NORTH, 2))

    assert (found.holder.party, found.stage) == (NORTH, Stage.ACCEPTED)
    assert found.parts[NORTH] is Stage.ACCEPTED


def test_of_two_acceptances_the_first_counts_and_the_second_is_flagged() -> None:
    """Two teams that rely on each other would be nobody's."""
    found = state(step("referral_accepted", NORTH), step("referral_accepted", LIAISON, 2))

    assert found.holder.party == NORTH
    assert found.flags == {Flag.SECOND_ACCEPT}


def test_who_declines_before_anybody_accepted_leaves_it_with_the_sender() -> None:
    """A decline shortens the clock and moves nothing."""
    found = state(step("referral_declined", NORTH))

    assert (found.holder.party, found.stage) == (POLICE, Stage.DECLINED)
    assert found.deadline == Deadline(what=Due.REACT, at=START + timedelta(minutes=6))


def test_a_holder_who_declines_stays_the_holder_until_taken_back() -> None:
    """Handing in a referral needs somebody who takes it."""
    declined = [step("referral_accepted", NORTH), step("referral_declined", NORTH, 2)]

    assert state(*declined).holder.party == NORTH
    assert state(*declined, step("referral_taken_back", POLICE, 3)).holder.party == POLICE
    assert state(*declined, step("referral_accepted", LIAISON, 3)).holder.party == LIAISON


def test_a_phone_hand_over_moves_it_like_an_acceptance() -> None:
    """The team on the phone is the holder, and its later acceptance is no second one."""
    phoned = step("referral_phone_handover", POLICE, team="CRHT North", to_party=NORTH)

    found = state(phoned, step("referral_accepted", NORTH, 2, team="CRHT North"))

    assert found.holder.title == "CRHT North"
    assert not found.flags


def test_a_team_named_on_the_phone_is_the_team_that_accepts() -> None:
    """A hand-over to a name becomes the party's as soon as the team of this name accepts."""
    phoned = step("referral_phone_handover", POLICE, team="CRHT North")

    found = state(phoned, step("referral_accepted", NORTH, 2, team="crht north"))

    assert state(phoned).holder.party == "CRHT North"
    assert (found.holder.party, found.flags) == (NORTH, frozenset())


def test_a_team_of_the_same_name_elsewhere_does_not_take_it_over() -> None:
    """Where the holder is a party, only this party is the holder."""
    first = step("referral_accepted", NORTH, team="Crisis team")

    found = state(first, step("referral_accepted", LIAISON, 2, team="Crisis team"))

    assert (found.holder.party, found.flags) == (NORTH, {Flag.SECOND_ACCEPT})


def test_an_outcome_before_any_acceptance_is_flagged_and_closes_nothing() -> None:
    """A result from a team that never took responsibility leaves the clock running."""
    found = state(step("referral_outcome", NORTH))

    assert found.flags == {Flag.OUTCOME_BEFORE_ACCEPT}
    assert found.holder.party == POLICE
    assert found.deadline is not None
