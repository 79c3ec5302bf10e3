"""
What a control room refers, how often, and how badly: the mix the traffic is drawn from.

Weights are a guess at a busy evening, not statistics.
"""

from dataclasses import dataclass
from typing import Any, Final

CRISIS: Final = ("northvale-crisis", "crisis-response")
LIAISON: Final = ("northvale-liaison", "crisis-response")
SUITE: Final = ("northvale-136-suite", "place-of-safety-handover")
AMBULANCE: Final = ("midshire-ambulance", "responder-safety")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """
    One kind of call.

    Attributes:
        weight: How often, relative to the others.
        code: Letter of the UK Mental Health Triage Scale; empty where nobody graded it.
        routes: (recipient, purpose) in the order a control room would tick them.
        reason: Why the police were called.
        summary: What the operator writes for the next team.
        risk: Answers that stand out; the rest was not asked.
    """

    name: str
    weight: int
    code: str
    routes: tuple[tuple[str, str], ...]
    reason: str
    summary: str
    risk: dict[str, Any]


SITUATIONS: Final = (
    Situation(
        name="height",
        weight=6,
        code="A",
        routes=(CRISIS, AMBULANCE),
        reason="person on the wrong side of a barrier",
        summary="Talking to an officer, wants to be left alone, says it will be over tonight.",
        risk={"suicide": {"ideation": "yes", "intent": "yes", "attempt_now": "yes"}},
    ),
    Situation(
        name="section-136",
        weight=10,
        code="A",
        routes=(SUITE, CRISIS),
        reason="found distressed in a public place, detained under section 136",
        summary="Detained for own safety, calm in the vehicle, searched, ambulance had no crew.",
        risk={"suicide": {"ideation": "yes", "plan": "not_asked"}, "absconding": "yes"},
    ),
    Situation(
        name="overdose-plan",
        weight=14,
        code="B",
        routes=(CRISIS,),
        reason="worried friend called 999 after a goodbye message",
        summary="Has tablets in the house and a plan for tonight, agrees to talk to somebody.",
        risk={"suicide": {"ideation": "yes", "plan": "yes", "means_available": "yes"}},
    ),
    Situation(
        name="psychosis",
        weight=12,
        code="B",
        routes=(CRISIS, LIAISON),
        reason="shouting in the street, believes the neighbours send signals",
        summary="Not slept for days, talks to people who are not there, no violence seen.",
        risk={"self_neglect": "yes", "harm_to_others": "no", "intoxication": "unknown"},
    ),
    Situation(
        name="weapon",
        weight=5,
        code="A",
        routes=(CRISIS, AMBULANCE),
        reason="person in the kitchen with a knife",
        summary="Knife now on the table between us, officers in the hallway, keeps talking.",
        risk={"weapon": "yes", "self_harm": "yes", "harm_to_others": "unknown"},
    ),
    Situation(
        name="third-party-concern",
        weight=12,
        code="C",
        routes=(CRISIS,),
        reason="somebody nearby is worried, has not seen the person for a week",
        summary="Spoke through the letterbox, says is fine, house cold, post piling up.",
        risk={"self_neglect": "yes", "exploitation": "unknown"},
    ),
    Situation(
        name="repeat-caller",
        weight=12,
        code="D",
        routes=(CRISIS,),
        reason="sixth call this month, lonely and low",
        summary="Wants company more than anything, known to services, no plan to do harm.",
        risk={"suicide": {"ideation": "no", "previous_attempt": "yes"}},
    ),
    Situation(
        name="police-not-attending",
        weight=8,
        code="E",
        routes=(CRISIS,),
        reason="welfare check asked for by an agency, threshold not met",
        summary="Nobody attended under Right Care Right Person, caller told whom to ring.",
        risk={},
    ),
    Situation(
        name="nobody-graded-it",
        weight=4,
        code="",
        routes=(LIAISON,),
        reason="brought to the front counter by a passer-by",
        summary="Does not say where they live, holds a hospital letter, hungry.",
        risk={"physical_red_flags": ["diabetic, last meal unknown"]},
    ),
)
