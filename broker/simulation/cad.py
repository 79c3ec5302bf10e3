"""
Writes a control room's own export: what its command-and-control system sends instead of JSON.

Columns, codes, delimiter and encoding are those that `deploy/mappings/midshire_cad.toml` reads.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from broker.simulation.moments import LONDON

ENCODING: Final = "windows-1252"
DELIMITER: Final = "|"
MEDIA_TYPE: Final = f"text/csv; charset={ENCODING}"
PATH: Final = "/v1/referrals/cad_mapping"
DATE: Final = "%d/%m/%Y %H:%M:%S"

_GRADES: Final = {"A": "I", "B": "P", "C": "S", "D": "S"}
_CONSENT: Final = {"given": "Y", "refused": "N", "unable": "U", "not_sought": "NS"}
_POWER: Final = {"s136": "S136 MHA"}
_ATTEND: Final = {"attend": "ATTEND", "partial": "PARTIAL", "not_attend": "DECLINE"}
_GROUND: Final = {"real_immediate_life": "LIFE", "serious_harm": "HARM", "none": "NONE"}
_ANSWER: Final = {"yes": "Y", "no": "N"}


def export(rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return rows as the export file; what its encoding cannot write becomes a question mark."""
    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=DELIMITER, restval="")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue().encode(ENCODING, "replace")


def local_time(at: datetime) -> str:
    """Return a time as the export writes it: London civil time, without offset."""
    return at.astimezone(LONDON).strftime(DATE)


def row_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return a canonical referral as a row of the export, as far as the export has columns."""
    body = document["body"]
    identity = body["subject"]["identity"]
    name = (identity.get("names") or [{}])[0]
    risk, rcrp = body["risk"], body["incident"]["rcrp"]
    legal, contact = body.get("legal_status", {}), body["subject"].get("contact", {})
    at = datetime.fromisoformat(document["occurred_at"])
    return {
        "EXPORT_ACTION": "N",
        "EXPORT_SEQ": str(document["sequence"]),
        "INCIDENT_URN": document["reference"],
        "REFERRED_DTTM": local_time(at),
        "CREATED_DTTM": local_time(datetime.fromisoformat(body["incident"]["first_call_at"])),
        "GRADE": _GRADES.get((document["urgency"] or {}).get("code", ""), "R"),
        "DIVISION": "N",
        "SOURCE": body["incident"]["source_channel"].upper(),
        "REASON": body["incident"]["reason_for_contact"],
        "LOG_TEXT": "\n".join(_entry(entry) for entry in body["incident"]["log"]),
        "RCRP_DECISION": _ATTEND[rcrp["decision"]],
        "RCRP_GROUND": _GROUND[rcrp["ground"]],
        "SUBJ_SURNAME": name.get("family", "N/K"),
        "SUBJ_FORENAMES": name.get("given", "N/K"),
        "SUBJ_DOB": _date(identity.get("birth_date", {}).get("value", "")),
        "SUBJ_NHS": identity.get("nhs_number", {}).get("value", ""),
        "SUBJ_DESCR": identity.get("description", ""),
        "SUBJ_TEL": next((each["number"] for each in contact.get("phones", ())), ""),
        "SUBJ_ADDR": "\n".join(contact.get("address", {}).get("lines", ())),
        "SUBJ_POSTCODE": contact.get("address", {}).get("postcode", ""),
        "SUICIDE_RISK": _answer(risk.get("suicide", {}).get("ideation")),
        "SELF_HARM": _answer(risk.get("self_harm")),
        "WEAPON": "SEEN" if risk.get("weapon") == "yes" else "",
        "DETAINED": _answer(legal.get("detained")),
        "POWER": _POWER.get(legal.get("power", ""), ""),
        "CONSENT": _CONSENT.get(body["consent_and_basis"]["consent_to_share"], ""),
        "OFFICER_COLLAR": body["staff"]["officer_ref"],
        "CALL_BACK": body["staff"]["call_back_number"],
        "SUMMARY": body.get("handover_summary", ""),
    }


def _entry(entry: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(entry["at"]).astimezone(LONDON)
    return f"{at:%H:%M:%S} {entry['text']}"


def _date(iso: str) -> str:
    return "/".join(reversed(iso.split("-")))


def _answer(value: str | None) -> str:
    return "" if value is None else _ANSWER.get(value, "NK")
