"""The page a stand-in shows to a browser: what it has received, newest first."""

import json
from html import escape
from typing import Final

from broker.simulation.mailbox import Item, Mailbox

_STYLE: Final = (
    "body{font:16px/1.5 Frutiger,Arial,sans-serif;margin:2rem auto;max-width:60rem;color:#212b32}"
    "h1{font-size:1.5rem}summary{cursor:pointer;padding:.4rem 0}"
    "pre{background:#f0f4f5;padding:1rem;overflow-x:auto;font-size:13px}"
    "@media(prefers-color-scheme:dark){body{background:#212b32;color:#f0f4f5}pre{background:#112}}"
)


def page(name: str, mailbox: Mailbox) -> str:
    """Return the page; everything in it is invented."""
    items = "".join(_item(item) for item in reversed(mailbox.items))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(name)} (stand-in)</title><style>{_STYLE}</style>"
        f"<h1>{escape(name)} <small>stand-in agency, invented data</small></h1>"
        f"<p>{len(mailbox.items)} messages taken, {sum(mailbox.repeats.values())} came again,"
        f" {mailbox.forged} refused for their signature.</p>{items or '<p>Nothing yet.</p>'}"
    )


def _item(item: Item) -> str:
    signed = " · signature genuine" if item.verified else ""
    what = f"{item.at[11:19]} {item.party} · {item.event_type} · {item.format}{signed}"
    body = json.dumps(item.message, ensure_ascii=False, indent=2)
    return f"<details><summary>{escape(what)}</summary><pre>{escape(body)}</pre></details>"
