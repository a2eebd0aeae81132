"""Global Privacy Control on demand: the header on every request but preflights, and the property in pages."""

from __future__ import annotations

from mitmproxy import http

from pixelwitness.sources.added import ADDED

HEADER = "Sec-GPC"
SCRIPT = (
    "try{Object.defineProperty(Navigator.prototype,'globalPrivacyControl',"
    "{get:function(){return true},enumerable:true,configurable:true})}catch(e){}"
    "try{document.currentScript.remove()}catch(e){}"
)
"""It takes its own tag out again, so that the page's tree is what its author made."""


def add_header(flow: http.HTTPFlow) -> bool:
    """Adds the header to a request that lacks it; on the flow stands that it was added here.

    Never to a preflight: browsers send none there, and no other header may ever be added, since one that is not named
    `Sec-` would break CORS and so suppress the very pixel under audit.
    """
    if flow.request.method in ("OPTIONS", "CONNECT") or HEADER in flow.request.headers:
        return False
    flow.request.headers[HEADER] = "1"
    flow.metadata[ADDED] = [HEADER.lower()]
    return True
