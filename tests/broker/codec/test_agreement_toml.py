"""Agreement files: what is read, and how every fault is named with its place."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.codec.agreement_tests import run_tests
from broker.codec.agreement_toml import load_agreements, load_book
from broker.codec.agreement_vocabulary import Vocabulary
from broker.codec.catalogue import Catalogue, EventSchema, Leaf, load_catalogue
from broker.domain.decisions import Effect, Reduction
from broker.domain.errors import AgreementError

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 22)
ROUTE = ("midshire-police", "northvale-crisis", "crisis-response")

TEXT = """
agreement = "a.b"
version = 2
catalogue = 1
title = "A test"
valid_from = 2026-01-01
review_by = 2026-12-31
valid_to = 2027-12-31
contact = "desk, 01632 960000"

[[party]]
id = "midshire-police"
name = "Midshire Police"
kind = "police"
organisation = "Midshire Police"

[[party]]
id = "northvale-crisis"
name = "Northvale crisis team"
kind = "mental-health"
organisation = "Northvale"

[[signature]]
organisation = "Midshire Police"
name = "A"
role = "Chief"
on = 2025-12-01

[[signature]]
organisation = "Northvale"
name = "B"
role = "Director"
on = 2025-12-02

[[purpose]]
for = "crisis-response"
from = ["midshire-police"]
to = ["northvale-crisis"]
ask = "desk, 01632 960001"
retention = "as the record"
onward_sharing = "none"
basis = { article_6 = "6(1)(e)", confidentiality = "none owed" }

[[purpose.rule]]
id = "risk"
release = ["risk", "safety_warning"]
because = "it is what the team responds to"

[[purpose.rule]]
id = "log"
needs_person = ["everything"]
except = ["risk", "safety_warning"]
unless = ["immediate_risk"]
because = "a person decides"

[[test]]
name = "risk goes"
purpose = "crisis-response"
recipient = "northvale-crisis"
releases = ["risk"]
needs_person = ["incident.log"]
"""


def write(folder: Path, text: str = TEXT, name: str = "a.toml") -> Path:
    """Write one agreement file and return its folder."""
    (folder / name).write_text(text, "utf-8")
    return folder


def faults(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a file, as a reader sees it."""
    with pytest.raises(AgreementError) as caught:
        load_book(write(folder, text), CATALOGUE, today=TODAY)
    return [f"{rule} @ {place}" for place, rule in caught.value.problems]


def test_a_file_becomes_an_agreement(tmp_path: Path) -> None:
    """Every term of the file stands in the agreement, and groups are spelt out."""
    book = load_book(write(tmp_path), CATALOGUE, today=TODAY)
    signed, stated = book.find(*ROUTE), book.clause(*ROUTE)
    risk, log = stated.rules

    assert (signed.id, signed.version, len(signed.digest)) == ("a.b", 2, 64)
    assert [each.role for each in signed.signatures] == ["Chief", "Director"]
    assert stated.basis == {"article_6": "6(1)(e)", "confidentiality": "none owed"}
    assert risk.effect is Effect.RELEASE
    assert {"risk.weapon", "safety_warnings.#", "safety_warnings.kind"} <= risk.leaves
    assert log.unless == {"immediate_risk"}


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    """One more space is another file, and the disclosure says so."""
    first = load_book(write(tmp_path), CATALOGUE, today=TODAY).find(*ROUTE).digest
    second = load_book(write(tmp_path, TEXT + "\n"), CATALOGUE, today=TODAY).find(*ROUTE).digest

    assert first != second


def test_a_granted_group_leaves_out_class_s8(tmp_path: Path) -> None:
    """Granting warnings does not grant where they come from."""
    stated = load_book(write(tmp_path), CATALOGUE, today=TODAY).clause(*ROUTE)

    assert not {"safety_warnings.source", "safety_warnings.basis"} & stated.rules[0].leaves


def test_everything_leaves_out_the_exceptions_and_what_was_never_mapped(tmp_path: Path) -> None:
    """Everything is every leaf that a person may decide on."""
    stated = load_book(write(tmp_path), CATALOGUE, today=TODAY).clause(*ROUTE)
    vocabulary = Vocabulary(CATALOGUE)
    excepted = vocabulary.groups["risk"] | vocabulary.groups["safety_warning"]

    assert stated.rules[1].leaves == vocabulary.leaves.keys() - excepted - {"unmapped"}


BROKEN = {
    "unknown key": ('title = "A test"', 'title = "A test"\ncolour = "red"', "unknown key @ a.toml: colour"),
    "missing key": ('title = "A test"', "", "is missing @ a.toml: title"),
    "wrong type": ("version = 2", 'version = "2"', "input should be a valid integer @ a.toml: version"),
    "text for a date": (
        "valid_to = 2027-12-31", 'valid_to = "2027-12-31"', "input should be a valid date @ a.toml: valid_to",
    ),
    "review after the end": (
        "review_by = 2026-12-31", "review_by = 2028-01-01",
        "lies between valid_from and valid_to @ a.toml: review_by",
    ),
    "ends before it begins": (
        "valid_to = 2027-12-31", "valid_to = 2025-12-31",
        "lies between valid_from and valid_to @ a.toml: review_by",
    ),
    "signed too late": (
        "on = 2025-12-02", "on = 2026-01-02", "is signed before valid_from @ a.toml: signature.Northvale",
    ),
    "nobody signed": (
        'organisation = "Northvale"\nname = "B"', 'organisation = "Midshire Police"\nname = "B"',
        "nobody signed for Northvale @ a.toml: signature",
    ),
    "party id": ('id = "northvale-crisis"', 'id = "Northvale"', "string should match pattern"),
    "party kind": ('kind = "police"', 'kind = "fire"', "input should be 'police'"),
    "unknown party": (
        'to = ["northvale-crisis"]', 'to = ["northvale-crisis", "northvale-crises"]',
        "unknown party `northvale-crises`, did you mean `northvale-crisis`? @ a.toml: purpose.crisis-response.to",
    ),
    "unknown purpose": (
        'for = "crisis-response"', 'for = "crisis-responses"',
        "unknown purpose `crisis-responses`, did you mean `crisis-response`? @ a.toml: purpose.crisis-responses.for",
    ),
    "unknown field": (
        'release = ["risk", "safety_warning"]', 'release = ["risk", "safety_warning", "risk.weapons"]',
        (
            "unknown field or group `risk.weapons`, did you mean `risk.weapon`?"
            " @ a.toml: purpose.crisis-response.rule.risk.release"
        ),
    ),
    "container": (
        'release = ["risk", "safety_warning"]', 'release = ["risk", "safety_warning", "subject"]',
        "unknown field or group `subject`",
    ),
    "granted S8": (
        'release = ["risk", "safety_warning"]', 'release = ["risk", "safety_warning", "offence.history"]',
        "`offence.history` is never released by rule @ a.toml: purpose.crisis-response.rule.risk",
    ),
    "granted log": (
        'release = ["risk", "safety_warning"]', 'release = ["narrative"]',
        "group `narrative` holds nothing that a rule can release",
    ),
    "granted everything": (
        'release = ["risk", "safety_warning"]', 'release = ["everything"]',
        "`everything` cannot be granted: name the groups",
    ),
    "envelope": (
        'release = ["risk", "safety_warning"]', 'release = ["envelope.sender"]',
        "unknown field or group `envelope.sender`",
    ),
    "items without length": (
        'release = ["risk", "safety_warning"]', 'release = ["risk", "safety_warnings.kind"]',
        "grants what is inside an array but not `safety_warnings.#`",
    ),
    "exception of nothing": (
        'except = ["risk", "safety_warning"]', 'except = ["unmapped"]',
        "`unmapped` is not among what the rule names @ a.toml: purpose.crisis-response.rule.log.except",
    ),
    "unknown fact": (
        'unless = ["immediate_risk"]', 'unless = ["imediate_risk"]',
        (
            "unknown fact `imediate_risk`, did you mean `immediate_risk`?"
            " @ a.toml: purpose.crisis-response.rule.log.unless"
        ),
    ),
    "concealed fact": (
        'unless = ["immediate_risk"]', 'unless = ["protected_address"]',
        "a condition on `protected_address` would tell the recipient that it holds",
    ),
    "two effects": (
        'release = ["risk", "safety_warning"]', 'release = ["risk"]\nwithhold = ["clock"]',
        (
            "states exactly one of release, reduce, withhold and needs_person"
            " @ a.toml: purpose.crisis-response.rule.risk"
        ),
    ),
    "no effect": (
        'release = ["risk", "safety_warning"]', "",
        "states exactly one of release, reduce, withhold and needs_person",
    ),
    "empty grant": ('release = ["risk", "safety_warning"]', "release = []", "should have at least 1 item"),
    "unknown reduction": (
        'release = ["risk", "safety_warning"]', 'reduce = { "risk.weapon" = "age-bands" }',
        (
            "unknown reduction `age-bands`, did you mean `age-band`?"
            " @ a.toml: purpose.crisis-response.rule.risk.reduce.risk.weapon"
        ),
    ),
    "unfit reduction": (
        'release = ["risk", "safety_warning"]', 'reduce = { "risk.weapon" = "age-band" }',
        "`age-band` does not fit this field",
    ),
    "reduced group": (
        'release = ["risk", "safety_warning"]', 'reduce = { risk = "present" }',
        "`risk` is a group: a reduction names fields",
    ),
    "same rule twice": ('id = "log"', 'id = "risk"', "stands here more than once @ a.toml: rule.risk"),
    "test of an unknown event": (
        'recipient = "northvale-crisis"\nreleases', 'recipient = "northvale-crisis"\nevent = "referral_mad"\nreleases',
        "unknown event `referral_mad`, did you mean `referral_made`? @ a.toml: test.risk goes.event",
    ),
    "test of a foreign field": (
        'releases = ["risk"]', 'releases = ["outcome"]',
        "`outcome` is no part of referral_made @ a.toml: test.risk goes.releases",
    ),
    "test of another route": (
        'purpose = "crisis-response"\nrecipient', 'purpose = "care-coordination"\nrecipient',
        "no purpose of this file covers its purpose and recipient @ a.toml: test.risk goes",
    ),
    "suspension ahead": (
        'contact = "desk, 01632 960000"',
        'contact = "desk"\nsuspended = { signed_by = "A", at = 2026-12-01, reason = "r" }',
        "a suspension starts when it is signed @ a.toml: suspended.at",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_by_place_and_rule(case: str, tmp_path: Path) -> None:
    """The writer learns what is wrong and where, in the words of the file."""
    before, after, expected = BROKEN[case]
    assert before in TEXT

    found = faults(tmp_path, TEXT.replace(before, after, 1))

    assert any(fault.startswith(expected) or expected in fault for fault in found), found


def test_every_fault_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    """One run tells all, in the order of the files."""
    write(tmp_path, TEXT.replace('"risk", "safety_warning"', '"rusk", "riks"', 1), "b.toml")
    write(tmp_path, "version = 1 oops", "c.toml")

    found = faults(tmp_path, TEXT.replace("unless = [", 'colour = "red"\nunless = ['))

    assert found[0] == "unknown key @ a.toml: purpose.crisis-response.rule.log.colour"
    assert sum("b.toml" in fault for fault in found) == 2
    assert "is not TOML" in found[-1]


def test_no_fault_shows_the_value_of_a_wrong_type(tmp_path: Path) -> None:
    """A person pasted into the wrong place does not end up in a log."""
    found = faults(tmp_path, TEXT.replace("version = 2", 'version = "Testperson, Rhian"'))

    assert not any("Testperson" in fault for fault in found)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """An editor's old encoding is a fault like any other."""
    (tmp_path / "a.toml").write_bytes('title = "Siân"'.encode("cp1252"))

    with pytest.raises(AgreementError, match=r"is not UTF-8 @ a\.toml"):
        load_book(tmp_path, CATALOGUE, today=TODAY)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A mistyped folder would otherwise hold every referral without a word."""
    with pytest.raises(AgreementError, match="holds no agreement"):
        load_book(tmp_path, CATALOGUE, today=TODAY)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    """Nobody can tell which of them was signed."""
    write(tmp_path, TEXT, "b.toml")

    assert faults(tmp_path, TEXT) == ["two files hold version 2 @ a.b"]


def test_the_next_version_waits_for_its_day(tmp_path: Path) -> None:
    """Both are read and checked; the younger counts from its first day."""
    following = TEXT.replace("version = 2", "version = 3").replace(
        "valid_from = 2026-01-01", "valid_from = 2026-12-01"
    )
    write(tmp_path, following, "b.toml")
    write(tmp_path)

    versions = [
        load_book(tmp_path, CATALOGUE, today=day).find(*ROUTE).version
        for day in (TODAY, date(2026, 12, 1))
    ]

    assert versions == [2, 3]
    assert len(load_agreements(tmp_path, CATALOGUE, today=TODAY)) == 2


def test_a_lapsed_agreement_is_read_and_marked(tmp_path: Path) -> None:
    """It goes on, and the plan says for how long it has been overdue."""
    book = load_book(write(tmp_path), CATALOGUE, today=date(2027, 1, 1))

    plan = book.plan(*ROUTE, CATALOGUE.event("referral_made"), frozenset())

    assert plan.overdue_days == 1
    assert "risk.weapon" in plan.released


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('contact = "desk, 01632 960000"', 'contact = "desk"\nsuspended = STOP'),
        ('onward_sharing = "none"', 'onward_sharing = "none"\nsuspended = STOP'),
    ],
)
def test_a_suspension_holds_what_it_covers(before: str, after: str, tmp_path: Path) -> None:
    """It stands for the whole file or for one purpose."""
    stop = '{ signed_by = "A", at = 2026-11-22, reason = "r" }'
    text = TEXT.replace(before, after.replace("STOP", stop))

    book = load_book(write(tmp_path, text), CATALOGUE, today=TODAY)

    plan = book.plan(*ROUTE, CATALOGUE.event("referral_made"), frozenset())
    assert plan.held_because == "suspended"


def grown(since: int) -> Catalogue:
    """Return the catalogue with a new leaf in group risk."""
    events = {}
    for name, event in CATALOGUE.events.items():
        leaves = dict(event.leaves)
        if "risk.weapon" in leaves:
            leaves["risk.new"] = Leaf(
                path="risk.new", doc="", group="risk", sensitivity="S3", presence="conceal",
                since=since, avro_type="string",
            )  # fmt: skip
        events[name] = EventSchema(
            event_type=name, fullname=event.fullname, schema=event.schema, leaves=leaves,
            envelope_leaves=event.envelope_leaves,
        )  # fmt: skip
    return Catalogue(events=events, types=CATALOGUE.types)


@pytest.mark.parametrize(("since", "granted"), [(1, True), (2, False)])
def test_a_new_field_is_withheld_until_the_agreement_is_signed_again(
    since: int,
    granted: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
) -> None:
    """A group means the fields that the agreement's catalogue version knew."""
    catalogue = grown(since)
    book = load_book(write(tmp_path), catalogue, today=TODAY)

    plan = book.plan(*ROUTE, catalogue.event("referral_made"), frozenset({"immediate_risk"}))

    assert ("risk.new" in plan.released) is granted


def test_a_new_field_cannot_be_named_under_an_old_catalogue(tmp_path: Path) -> None:
    """Naming it means having seen it: the catalogue version must say so."""
    write(tmp_path, TEXT.replace('release = ["risk",', 'release = ["risk", "risk.new",'))

    with pytest.raises(AgreementError, match=r"`risk\.new` is younger than catalogue version 1"):
        load_book(tmp_path, grown(2), today=TODAY)


def test_a_restriction_covers_new_fields_at_once(tmp_path: Path) -> None:
    """Withholding a group means all of it, whatever it grows."""
    text = TEXT.replace('release = ["risk", "safety_warning"]', 'withhold = ["risk"]')
    text = text.replace('except = ["risk", "safety_warning"]\n', "").replace(
        'releases = ["risk"]', 'withholds = ["risk"]'
    )

    stated = load_book(write(tmp_path, text), grown(2), today=TODAY).clause(*ROUTE)

    assert "risk.new" in stated.rules[0].leaves


def test_the_tests_of_a_file_are_run(tmp_path: Path) -> None:
    """A passing test is quiet; a failing one says which field, and which clause."""
    passing = run_tests(load_book(write(tmp_path), CATALOGUE, today=TODAY), CATALOGUE)
    broken = TEXT.replace('needs_person = ["incident.log"]', 'releases = ["incident.log"]')
    broken = broken.replace('releases = ["risk"]\n', "", 1)
    failing = run_tests(load_book(write(tmp_path, broken), CATALOGUE, today=TODAY), CATALOGUE)

    assert [outcome.failures for outcome in passing] == [()]
    assert [outcome.failures for outcome in failing] == [
        ("`incident.log`: release expected, but needs-person by `log`",)
    ]


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("held = true", "the route is not held"),
        ('withholds = ["risk.weapon"]', "`risk.weapon`: withhold expected, but release by `risk`"),
        (
            'reduces = { "risk.weapon" = "present" }',
            "`risk.weapon`: reduce expected, but release by `risk`",
        ),
    ],
)
def test_each_kind_of_expectation_can_fail(line: str, failure: str, tmp_path: Path) -> None:
    """A test that cannot fail would prove nothing."""
    text = re.sub(r'releases = \["risk"\]\nneeds_person.*', line, TEXT)

    outcomes = run_tests(load_book(write(tmp_path, text), CATALOGUE, today=TODAY), CATALOGUE)

    assert [outcome.failures for outcome in outcomes] == [(failure,)]


def test_a_reduction_other_than_expected_fails(tmp_path: Path) -> None:
    """Reduced is not enough: it must be the reduction that was agreed."""
    path = "subject.identity.birth_date"
    text = TEXT.replace('except = ["risk",', f'except = ["{path}", "risk",').replace(
        "[[test]]",
        f'[[purpose.rule]]\nid = "age"\nreduce = {{ "{path}" = "year-of-birth" }}\nbecause = "b"\n[[test]]',
    )
    text = re.sub(r'releases = \["risk"\]', f'reduces = {{ "{path}" = "age-band" }}', text)

    book = load_book(write(tmp_path, text), CATALOGUE, today=TODAY)

    assert book.clause(*ROUTE).rules[2].reductions == {path: Reduction.YEAR_OF_BIRTH}
    assert run_tests(book, CATALOGUE)[0].failures == (f"`{path}` is reduced, but not to age-band",)


def test_a_purpose_without_a_test_fails(tmp_path: Path) -> None:
    """Both sides rely on something; whoever wrote the purpose must say on what."""
    text = TEXT.partition("[[test]]")[0]

    outcomes = run_tests(load_book(write(tmp_path, text), CATALOGUE, today=TODAY), CATALOGUE)

    assert [(each.name, each.failures) for each in outcomes] == [
        ("crisis-response", ("has no test",))
    ]


def test_a_path_means_the_same_in_every_event() -> None:
    """Agreements name a path once; its tags must not depend on the event."""
    tags: dict[str, set[tuple[object, ...]]] = {}
    for event in CATALOGUE.events.values():
        for leaf in event.leaves.values():
            stated = (leaf.group, leaf.sensitivity, leaf.presence, leaf.since, leaf.is_length)
            tags.setdefault(leaf.path, set()).add(stated)

    assert {path for path, each in tags.items() if len(each) > 1} == set()


def test_no_group_is_named_like_a_leaf_of_another_group() -> None:
    """A name in a rule is never ambiguous."""
    vocabulary = Vocabulary(CATALOGUE)
    shared = vocabulary.leaves.keys() & vocabulary.groups.keys()

    assert all(vocabulary.groups[name] == {name} for name in shared)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(TEXT) - 1), put=st.text(max_size=4), length=st.integers(0, 30))
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, position: int, put: str, length: int
) -> None:
    """Whatever happens to the text, the answer is a book or an AgreementError."""
    damaged = TEXT[:position] + put + TEXT[position + length :]
    (tmp_path / "a.toml").write_bytes(damaged.encode("utf-8", "surrogatepass"))

    try:
        load_book(tmp_path, CATALOGUE, today=TODAY)
    except AgreementError as error:
        assert error.problems  # noqa: PT017 - either outcome is right
