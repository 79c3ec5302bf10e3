"""
Every metric of the broker, in one place.

Labels are closed sets: process, purpose, recipient, group, rank, code. Never a person, referral,
event or message id, and never free text. A metric's name is an interface: renaming one is a
breaking change. The help text says what it means and what to do.
"""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

BUILD_INFO = Gauge("crisis_build_info", "Version of the code, as a label.", ("version", "process"))

# intake
ACCEPTED = Counter(
    "crisis_intake_accepted_total",
    "Events stored on our own disk. Silence on a busy day: callers cannot reach us.",
    ("event_type", "rank"),
)
REPEATED = Counter(
    "crisis_intake_repeated_total", "Messages that had been accepted before; harmless."
)
REFUSED = Counter(
    "crisis_intake_refused_total",
    "Requests refused, by code. A rise after a release of a partner: their format changed.",
    ("code",),
)
FINDINGS = Counter(
    "crisis_intake_findings_total",
    "What intake noticed about accepted events, by finding. Tell the sender's system owner.",
    ("code",),
)
UNAUTHENTICATED = Counter(
    "crisis_intake_unauthenticated_total",
    "Callers not recognised, by reason. Steady: a partner's key or token is wrong. Burst: probing.",
    ("reason",),
)
KAFKA_AWAY = Gauge(
    "crisis_intake_kafka_away",
    "1 while accepted events stay on disk because Kafka is away or refuses some. Look at Kafka.",
)
DISCLOSURES_UNREAD = Gauge(
    "crisis_intake_disclosures_unread",
    "1 while intake cannot read who received what: answers of recipients it does not know get 503.",
)
RATE_OVERDRAWN = Counter(
    "crisis_intake_rate_overdrawn_total",
    "Immediate referrals accepted beyond a party's rate and reserve. Ask the party what happened.",
    ("party",),
)
OUTBOX_ENTRIES = Gauge(
    "crisis_outbox_entries", "Events accepted and not yet in Kafka. Grows: Kafka is away."
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "crisis_outbox_oldest_seconds", "Age of the oldest event not yet in Kafka. Look at Kafka."
)
OUTBOX_PARKED = Gauge(
    "crisis_outbox_parked",
    "Referrals whose next event Kafka refuses. Page: look at topics, rights and size limits.",
)
FORWARD_FAILURES = Counter(
    "crisis_outbox_failures_total",
    "Failures to hand events over to Kafka, by code; they stay on disk and are sent again.",
    ("code",),
)
ACCEPT_SECONDS = Histogram(
    "crisis_intake_accept_seconds",
    "Seconds from the whole request being read to the event being on disk.",
    buckets=LATENCY_BUCKETS_S,
)

# release
DECISIONS = Counter(
    "crisis_release_decisions_total",
    "Routes decided, by purpose and outcome (released, held, no_route, repeated).",
    ("recipient", "purpose", "outcome"),
)
WITHHELD_SAFETY = Counter(
    "crisis_release_withheld_safety_total",
    "Views that withhold safety information known to exist: somebody must phone.",
    ("recipient", "purpose"),
)
ENVELOPE_ONLY = Counter(
    "crisis_release_envelope_only_total",
    "Views whose filtering failed, so that only the envelope went out. Page: phone the recipient.",
    ("recipient", "purpose"),
)
DEAD_LETTERS = Counter(
    "crisis_dead_letters_total",
    "Records set aside, by disposition. Any rise: read the runbook of dead letters.",
    ("stage", "code"),
)
TAKEOVERS = Counter(
    "crisis_release_takeovers_total",
    "Partitions taken over. Steady growth: brokers or rebalances are unstable.",
    ("cause",),
)
RELEASE_SECONDS = Histogram(
    "crisis_release_seconds",
    "Seconds from an event being accepted to its views being committed.",
    buckets=LATENCY_BUCKETS_S,
)
EVENTS_LOST = Gauge(
    "crisis_release_events_lost",
    "1 if Kafka no longer has events this partition has yet to release, or has fewer than were "
    "released: retention or a lost disk. Page. Follow `crisis-broker intake again --help`, in its order: "
    "what is handed over before the group's offset is put back may never be read.",
    ("partition",),
)
HELD_ROUTES = Gauge(
    "crisis_held_routes",
    "Events held back from a recipient, by partition. See `crisis-broker held list`: it says what each"
    " waits for; one that waits for a person is handed over by phone meanwhile. Gone after 90 days.",
    ("partition",),
)
PARTITIONS_OWNED = Gauge("crisis_release_partitions_owned", "Partitions this process works on.")

# deliver
DELIVERED = Counter(
    "crisis_delivered_total",
    "Views the recipient's system has taken, by whether it was a repeat.",
    ("recipient", "repeat"),
)
DELIVERY_ATTEMPTS = Counter(
    "crisis_delivery_attempts_total",
    "Attempts by verdict. Retries only: the recipient's system is away.",
    ("recipient", "verdict"),
)
PARKED = Gauge(
    "crisis_delivery_parked", "Views past their deadline: phone the recipient now.", ("recipient",)
)
INBOX_WAITING = Gauge(
    "crisis_delivery_waiting", "Views not yet taken by the recipient's system.", ("recipient",)
)
INBOX_OLDEST_SECONDS = Gauge(
    "crisis_delivery_oldest_seconds", "Age of the oldest view not yet delivered.", ("recipient",)
)
LANE_CLOSED = Gauge(
    "crisis_lane_closed",
    "1 if the lane stopped because a view held more than its agreement grants. Page.",
    ("recipient",),
)
VIEWS_LOST = Counter(
    "crisis_delivery_views_lost_total",
    "Offsets that retention deleted before this recipient's deliver read them. Any: restore, page.",
    ("recipient",),
)
LOG_REPLACED = Counter(
    "crisis_delivery_log_replaced_total",
    "Release partitions made anew since they were read. Any: views may be lost, compare disclosures.",
    ("recipient",),
)
PAGES = Counter(
    "crisis_delivery_pages_total",
    "Views that needed a person, by reason. Any rise: phone the recipient; see the parked list.",
    ("recipient", "code"),
)
RECEIPTS_WAITING = Gauge(
    "crisis_delivery_receipts_waiting",
    "Technical receipts that intake has not accepted. Grows: intake is away or refuses our key.",
    ("recipient",),
)
DELIVERY_SECONDS = Histogram(
    "crisis_delivery_seconds",
    "Seconds from a view being read to the recipient's system having it.",
    ("recipient",),
    buckets=LATENCY_BUCKETS_S,
)


def exposition() -> tuple[bytes, str]:
    """Return the text Prometheus scrapes and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
