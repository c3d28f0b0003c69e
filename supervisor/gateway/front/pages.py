"""What a browser sees while a person is asked at their own machine."""

from __future__ import annotations

import html

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>taskpass</title>{refresh}
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:4em auto;padding:0 1em}}
b{{font-size:2em;letter-spacing:.2em}}</style></head><body>{body}</body></html>
"""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def waiting(code: str, client: str, server: str, scopes: str) -> str:
    """Ask the person to answer elsewhere; the page loads itself again."""
    told = (html.escape(each) for each in (client, server, scopes))
    words = "<p>{} wants to use <i>{}</i> ({}).</p>".format(*told)
    body = (
        f"<h1>Waiting for you</h1>{words}<p>Answer in taskpass, on your own machine, if the "
        f"question there shows this code:</p><p><b>{html.escape(code)}</b></p>"
        "<p>If you did not start this, say no there.</p>"
    )
    return _PAGE.format(refresh='<meta http-equiv="refresh" content="1">', body=body)


def plain(title: str, words: str) -> str:
    """A page that stays as it is."""
    return _PAGE.format(
        refresh="", body=f"<h1>{html.escape(title)}</h1><p>{html.escape(words)}</p>"
    )
