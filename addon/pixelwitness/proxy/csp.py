"""A page's Content-Security-Policy, opened by as little as a script of ours needs: its hash, and one path to report to.

Policies that only report are treated alike, so that the page sends no reports that it would not have sent without us.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

from mitmproxy import http

HEADERS = ("content-security-policy", "content-security-policy-report-only")
LOCKS = re.compile(r"'(?:nonce-|sha256-|sha384-|sha512-)", re.I)
"""Sources that switch 'unsafe-inline' off."""


def source_of(script: str) -> str:
    """The CSP source that allows one inline script and nothing else."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def open_headers(headers: http.Headers, hashes: Sequence[str], report_to: str | None) -> bool:
    """Changes every policy of a response so that the scripts run and may report. True where something changed."""
    changed = False
    for name in HEADERS:
        values = headers.get_all(name)
        opened = [", ".join(open_policy(p, hashes, report_to) for p in value.split(",")) for value in values]
        if opened != values:
            headers.set_all(name, opened)
            changed = True
    return changed


def open_policy(policy: str, hashes: Sequence[str], report_to: str | None) -> str:
    """One policy with the scripts and the path allowed; unchanged where it allowed them already."""
    directives = [d.strip() for d in policy.split(";")]
    at: dict[str, int] = {}
    for index, directive in enumerate(directives):
        at.setdefault(directive.split(maxsplit=1)[0].lower() if directive else "", index)
    before = list(directives)
    running = next((n for n in ("script-src-elem", "script-src", "default-src") if n in at), None)
    if running is not None and hashes:
        directives[at[running]] = _with(directives[at[running]], _needed(directives[at[running]], hashes))
    if report_to is not None and "connect-src" in at:
        directives[at["connect-src"]] = _with(
            directives[at["connect-src"]], _reach(before[at["connect-src"]], report_to)
        )
    elif report_to is not None and "default-src" in at:
        # default-src no longer counts for connections once connect-src is there: its sources are repeated.
        default = before[at["default-src"]]
        if more := _reach(default, report_to):
            sources = [s for s in default.split()[1:] if s.lower() != "'none'"]
            directives.append(" ".join(["connect-src", *sources, *more]))
    if directives == before:
        return policy
    return "; ".join(d for d in directives if d)


def _needed(directive: str, hashes: Sequence[str]) -> list[str]:
    sources = [s.lower() for s in directive.split()[1:]]
    locked = bool(LOCKS.search(directive)) or "'strict-dynamic'" in sources
    if "'unsafe-inline'" in sources and not locked:
        return []  # a hash would switch 'unsafe-inline' off for the page's own scripts
    return [h for h in hashes if h not in directive.split()]


def _reach(directive: str, report_to: str) -> list[str]:
    sources = [s.lower() for s in directive.split()[1:]]
    return [] if "'self'" in sources or "*" in sources or report_to.lower() in sources else [report_to]


def _with(directive: str, more: Sequence[str]) -> str:
    if not more:
        return directive
    name, *sources = directive.split()
    return " ".join([name, *(s for s in sources if s.lower() != "'none'"), *more])


META = re.compile(rb"<meta\s[^>]{0,8000}>", re.I)
IS_POLICY = re.compile(rb"http-equiv\s*=\s*[\"']?content-security-policy", re.I)
CONTENT = re.compile(rb"\scontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.I)


def open_metas(html: bytes, report_to: str, most: int = 16_384) -> bytes:
    """The same for policies in meta tags. Scripts that stand before them run anyway: only the path is added."""

    def opened(found: re.Match[bytes]) -> bytes:
        content = CONTENT.search(found[0]) if IS_POLICY.search(found[0]) else None
        if content is None:
            return found[0]
        group = 1 if content[1] is not None else 2
        made = open_policy(content[group].decode("latin-1"), (), report_to).encode("latin-1")
        return found[0][: content.start(group)] + made + found[0][content.end(group) :]

    return META.sub(opened, html[:most]) + html[most:]
