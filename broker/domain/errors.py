"""
Every error the broker raises on purpose.

* BrokerError
  x InputError                  never retried; the record goes to the dead letters, the sender gets a 4xx
    + MalformedMessageError     bytes or fields do not fit the stated format
    + UnknownSchemaError        no schema with this id or name
    + PolicyDeniedError         the caller may not do this
  x TransportError              may succeed later; nothing is given up meanwhile
    + OutcomeUnknownError       a deadline passed: it may or may not have happened
    + FencedError               another instance has taken over
    + UnwritableError           one topic refuses this record; other topics are not concerned
  x AgreementError              an agreement breaks a rule; it is not loaded
  x ConfigurationError          this installation cannot start; says what to change
"""

from collections.abc import Sequence


class BrokerError(Exception):
    """
    Base of all broker errors.

    Messages are lowercase, name the place and the rule, and never a value.

    Attributes:
        code: Short stable name, used as metric label and dead-letter header.
        retriable: Whether the same input may succeed later.
    """

    code = "broker"
    retriable = False


class InputError(BrokerError):
    """The input can never be processed as it stands."""

    code = "input"


class MalformedMessageError(InputError):
    """
    A message does not fit its stated format.

    Attributes:
        problems: Every ``(path, rule)`` found, in document order. Never a value.
    """

    code = "malformed-message"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{rule} @ {path}" for path, rule in problems))
        self.problems = tuple(problems)


class UnknownSchemaError(InputError):
    """No schema is known under this id or name."""

    code = "schema-unknown"


class PolicyDeniedError(InputError):
    """The caller is known, and may not do this."""

    code = "policy-denied"


class TransportError(BrokerError):
    """A store or a partner did not do as asked; it may later."""

    code = "transport"
    retriable = True


class OutcomeUnknownError(TransportError):
    """A deadline passed or a connection broke: it may or may not have happened."""

    code = "outcome-unknown"


class FencedError(TransportError):
    """Another instance has taken over this partition."""

    code = "fenced"


class UnwritableError(TransportError):
    """
    One topic refuses a record: missing, not authorised, or the record is too large.

    Attributes:
        topic: The topic that refused.
    """

    code = "unwritable"

    def __init__(self, topic: str, rule: str) -> None:
        super().__init__(f"{rule} @ {topic}")
        self.topic = topic


class AgreementError(BrokerError):
    """
    An agreement breaks a rule.

    Attributes:
        problems: Every ``(place, rule)`` found in the file.
    """

    code = "agreement"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{rule} @ {place}" for place, rule in problems))
        self.problems = tuple(problems)


class ConfigurationError(BrokerError):
    """This installation cannot start as configured; the message says what to change."""

    code = "configuration"
