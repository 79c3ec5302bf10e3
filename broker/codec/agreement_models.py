"""
The shape of an agreement file; nothing here knows which leaves, facts or purposes exist.

Unknown keys are refused and nothing is converted silently: a date is a TOML date, a number a number.
"""

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from broker.domain.clauses import PartyKind
from broker.domain.decisions import Effect

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PartyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")]
Names = Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
Optionals = Annotated[tuple[Text, ...], Field(strict=False)]
PartyIds = Annotated[tuple[PartyId, ...], Field(min_length=1, strict=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class PartyTable(_Table):
    """``[[party]]``: a team, desk or control room that sends or receives."""

    id: PartyId
    name: Text
    kind: Annotated[PartyKind, Field(strict=False)]
    organisation: Text


class SignatureTable(_Table):
    """``[[signature]]``: who signed for an organisation."""

    organisation: Text
    name: Text
    role: Text
    on: date


class SuspensionTable(_Table):
    """``suspended``: stops sharing until it is taken out again."""

    signed_by: Text
    at: date
    reason: Text


class BasisTable(_Table):
    """``basis``: why it is lawful, and what lifts confidentiality."""

    article_6: Text
    article_9: Text | None = None
    schedule_1: Text | None = None
    part_3: Text | None = None
    schedule_8: Text | None = None
    gateway: Text | None = None
    confidentiality: Text


class RuleTable(_Table):
    """``[[purpose.rule]]``: exactly one of release, reduce, withhold and needs_person."""

    id: Id
    because: Text
    release: Names | None = None
    reduce: Annotated[dict[str, Text], Field(min_length=1)] | None = None
    withhold: Names | None = None
    needs_person: Names | None = None
    exceptions: Optionals = Field(default=(), alias="except")
    when: Optionals = ()
    unless: Optionals = ()

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        stated = [self.release, self.reduce, self.withhold, self.needs_person]
        if sum(each is not None for each in stated) != 1:
            raise ValueError("states exactly one of release, reduce, withhold and needs_person")
        if self.reduce is not None and self.exceptions:
            raise ValueError("a reduction names each field and has no except")
        return self

    @property
    def effect(self) -> Effect:
        """What the rule does."""
        if self.release is not None:
            return Effect.RELEASE
        if self.reduce is not None:
            return Effect.REDUCE
        return Effect.WITHHOLD if self.withhold is not None else Effect.NEEDS_PERSON

    @property
    def names(self) -> tuple[str, ...]:
        """The leaves and groups it names."""
        return tuple(self.release or self.reduce or self.withhold or self.needs_person or ())


class PurposeTable(_Table):
    """``[[purpose]]``: what may go from whom to whom for one purpose."""

    code: Text = Field(alias="for")
    senders: PartyIds = Field(alias="from")
    recipients: PartyIds = Field(alias="to")
    ask: Text
    basis: BasisTable
    obligations: Optionals = ()
    retention: Text
    onward_sharing: Text
    suspended: SuspensionTable | None = None
    rule: Annotated[tuple[RuleTable, ...], Field(min_length=1, strict=False)]


class TestTable(_Table):
    """``[[test]]``: what the writers expect of their agreement."""

    __test__ = False  # its name is the file's word, not pytest's

    name: Text
    purpose: Text
    sender: PartyId | None = None
    recipient: PartyId
    event: Text = "referral_made"
    given: Optionals = ()
    releases: Optionals = ()
    reduces: dict[str, Text] = {}
    withholds: Optionals = ()
    needs_person: Optionals = ()
    held: bool | None = None


class AgreementFile(_Table):
    """One agreement file."""

    agreement: Id
    version: Annotated[int, Field(ge=1)]
    catalogue: Annotated[int, Field(ge=1)]
    title: Text
    valid_from: date
    valid_to: date
    review_by: date
    contact: Text
    suspended: SuspensionTable | None = None
    party: Annotated[tuple[PartyTable, ...], Field(min_length=2, strict=False)]
    signature: Annotated[tuple[SignatureTable, ...], Field(min_length=1, strict=False)]
    purpose: Annotated[tuple[PurposeTable, ...], Field(min_length=1, strict=False)]
    test: Annotated[tuple[TestTable, ...], Field(strict=False)] = ()
