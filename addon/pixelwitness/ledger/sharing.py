"""What may be taken out of a copy for sharing, and what never: the facts that judging rests on."""

from __future__ import annotations

from typing import Any

from pixelwitness.ledger.commit import Path, Taken

REMOVABLE = frozenset({"request_body"})
"""Parts that may be taken out whole."""
CATEGORIES = {
    "bodies": "bodies of requests",
    "cookies": "values of cookies, credentials and forwarded addresses in headers",
    "clients": "names and addresses of clients (equal ones stay equal)",
    "urls": "queries and fragments of URLs",
    "identifiers": "values of identity fields, ids of messages and visitors, digests of bodies (equal ones stay equal)",
    "content": "every value of the decoded payload, text read off the page, hints of clear text",
    "files": "names of the captures, and the options that name hosts and clients",
}
"""What `redact` takes out, in words."""
HEADERS = frozenset(
    {"cookie", "cookie2", "set-cookie", "set-cookie2", "authorization", "proxy-authorization", "forwarded"}
    | {"x-forwarded-for", "x-real-ip", "client-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip"}
)
LINKS = frozenset(
    {"request_url", "page_url", "page_referrer", "referer", "url", "parent", "page", "origin", "location"}
)  # fmt: skip
MESSAGE_IDS = frozenset({"message_id", "event_id", "body_sha256"})


def taken_from(part: str, said: Any) -> Taken:
    """How values of a part may be taken out; what no category covers never is."""

    def taken(path: Path) -> str | None:
        kind = category(part, path, said)
        return None if kind is None else "query" if kind == "urls" else "all"

    return taken


def category(part: str, path: Path, said: Any) -> str | None:
    """To which of the categories the value at a path of a part belongs; None: it stays in any copy."""
    if part in ("request_headers", "response_headers"):
        return _of_header(str(said[path[0]][0])) if len(path) == 2 and path[1] == 1 else None
    keys = tuple(k for k in path if isinstance(k, str))
    last = keys[-1] if keys else ""
    if part == "request_line":
        return "urls"
    if part == "meta":
        return {"url": "urls", "capture": "files"}.get(last)
    if part == "run":
        return "files" if keys in (("options", "client"), ("options", "scope"), ("inputs", "name")) else None
    return _of_observed(keys, last) if part == "observed" else None


def _of_observed(keys: tuple[str, ...], last: str) -> str | None:
    if not keys:
        return None
    if last == "client":
        return "clients"
    if keys[0] == "hits" and len(keys) > 2:
        return {
            "payload": "content",
            "content": "content" if last == "sample" else None,
            "plaintext": "content" if last == "masked" else None,
            "identifiers": "identifiers" if last == "value" else None,
        }.get(keys[1])
    if keys[0] == "hits" and last in MESSAGE_IDS:
        return "identifiers"
    return "urls" if last in LINKS else None


def _of_header(name: str) -> str | None:
    lower = name.lower()
    if lower in HEADERS:
        return "cookies"
    return "urls" if lower in LINKS else None
