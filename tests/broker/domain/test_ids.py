"""Derived ids: alike for two intakes, apart for everybody else."""

from hypothesis import assume, given
from hypothesis import strategies as st

from broker.domain import ids

SECRET = b"a secret of a site that does not exist"
words = st.text(max_size=20)


@given(words, words, words, words)
def test_different_parties_or_references_never_share_a_referral(party, reference, other, another):
    """Parts are kept apart: `ab` and `c` is not `a` and `bc`."""
    assume((party, reference) != (other, another))

    first = ids.referral_id(SECRET, party, reference)

    assert first != ids.referral_id(SECRET, other, another)
    assert first == ids.referral_id(SECRET, party, reference)
    assert len(first) == ids.ID_HEX_DIGITS


@given(words, words)
def test_the_kinds_of_ids_never_meet(party, reference):
    """A referral, an event and a digest of the same words are three different things."""
    made = {
        ids.referral_id(SECRET, party, reference),
        ids.event_id(SECRET, party, reference),
        ids.release_id(SECRET, party, reference, ""),
        ids.digest(SECRET, (party + reference).encode()).hex()[: ids.ID_HEX_DIGITS],
    }

    assert len(made) == 4


def test_content_cannot_be_shaped_into_an_id():
    """Whoever chooses the content of a digest cannot make it an id of somebody's."""
    shaped = b"referral" + b"".join(len(p).to_bytes(4, "big") + p for p in (b"p", b"r"))

    digest = ids.digest(SECRET, shaped).hex()[: ids.ID_HEX_DIGITS]

    assert digest != ids.referral_id(SECRET, "p", "r")


def test_without_the_secret_nobody_can_test_a_guess():
    """Another site's secret gives another id."""
    assert ids.referral_id(SECRET, "p", "r") != ids.referral_id(SECRET + b"!", "p", "r")
