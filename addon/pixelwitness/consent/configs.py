"""Which of the site's own consent categories TikTok belongs to, from the configuration that its consent system loads.

The answer of a visitor is then judged by that category: a site may gate TikTok on "statistics", and custom ids mean
nothing without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pixelwitness.consent.decoders.names import is_tiktok
from pixelwitness.exchange import Exchange
from pixelwitness.property import registrable_domain
from pixelwitness.rulebook.consent import ConfigRule
from pixelwitness.rulebook.regex import PATH

MAX_BODY = 8 * 1024 * 1024
MAX_ROWS = 20_000
MAX_DEPTH = 12
MAX_CATEGORIES = 100
MAX_CATEGORY = 1024 * 1024
"""So far after a category's name its cookies are looked for."""
MAX_SERVICE_NAME = 80
SLUG = re.compile(r"""["']?slug["']?\s*:\s*["']([\w-]{1,80})["']""")
COOKIE_ID = re.compile(r"""["']?cookie_?i[dD]["']?\s*:\s*["']([^"']{1,200})["']""", re.I)
HELD_BACK = re.compile(
    r"""\{\s*["']?(?:re|url)["']?\s*:\s*["']([^"']{1,200})["']\s*,\s*["']?categories["']?\s*:\s*\[([^\]]{0,500})\]"""
)
GPC_FILE = "/.well-known/gpc.json"
COOKIEBOT_TABLE = re.compile(r"CookieConsentDialog\.cookieTable(\w{4,20})\s*=\s*\[")
COOKIEBOT_ROW = re.compile(
    r"""\[\s*(['"])((?:\\.|(?!\1)[^\\\n]){0,300})\1\s*,\s*(['"])((?:\\.|(?!\3)[^\\\n]){0,2000})\3"""
)
COOKIEBOT_NAMES = {
    "Necessary": "necessary",
    "Preference": "preferences",
    "Statistics": "statistics",
    "Advertising": "marketing",
    "Unclassified": "unclassified",
}

type Placed = dict[str, list[str]]
"""Category to the names of TikTok's that the site put there."""


def read_config(exchange: Exchange, rule: ConfigRule, lists: Mapping[str, tuple[str, ...]]) -> dict[str, Any] | None:
    """What a configuration says of TikTok, as a signal's details; None if it is none or does not name TikTok.

    `tiktok_categories`: where the site puts it. `tiktok_essential`: among them only such as are always on, which is no
    consent of anybody. `named`: by which cookie or host.
    """
    response = exchange.response
    if response is None or response.status != 200 or not response.body or len(response.body) > MAX_BODY:
        return None
    if not covers(rule, exchange.path):
        return None
    try:
        placed = READERS[rule.reader](response.body.decode("utf-8", "replace"), lists)
    except (ValueError, RecursionError):
        return None
    if not placed:
        return None
    optional = [c for c in placed if c not in rule.essential]
    detail: dict[str, Any] = {"named": {c: sorted(set(names))[:20] for c, names in placed.items()}}
    if optional:
        return {"tiktok_category": optional[0], "tiktok_categories": optional, **detail}
    return {"tiktok_essential": True, **detail}


def covers(rule: ConfigRule, path: str) -> bool:
    """Whether a configuration may stand at a path."""
    return len(path) <= PATH and re.fullmatch(rule.path, path) is not None


def _onetrust(text: str, lists: Mapping[str, tuple[str, ...]]) -> Placed:
    """`DomainData.Groups[]`: each with its id, first-party cookies, and hosts with their cookies."""
    parsed = json.loads(text)
    domain = parsed.get("DomainData") if isinstance(parsed, dict) else None
    groups = domain.get("Groups") if isinstance(domain, dict) else None
    placed: Placed = {}
    for group in groups[:500] if isinstance(groups, list) else []:
        if not isinstance(group, dict):
            continue
        category = str(group.get("CustomGroupId") or group.get("OptanonGroupId") or "")[:80]
        names = [c.get("Name") for c in _rows(group.get("FirstPartyCookies"))]
        for host in _rows(group.get("Hosts")):
            names.append(host.get("HostName"))
            names += [c.get("Name") for c in _rows(host.get("Cookies"))]
        own = [n for n in names if isinstance(n, str) and is_tiktoks(n, lists)]
        if category and own:
            placed.setdefault(category, []).extend(own)
    return placed


def _rows(found: Any) -> list[dict[str, Any]]:
    return [r for r in found[:MAX_ROWS] if isinstance(r, dict)] if isinstance(found, list) else []


def _cookiebot(text: str, lists: Mapping[str, tuple[str, ...]]) -> Placed:
    """`CookieConsentDialog.cookieTableAdvertising = [['_ttp', 'tiktok.com', ...], ...];` and its like."""
    placed: Placed = {}
    tables = list(COOKIEBOT_TABLE.finditer(text))
    for i, table in enumerate(tables):
        category = COOKIEBOT_NAMES.get(table[1])
        if category is None:
            continue
        end = tables[i + 1].start() if i + 1 < len(tables) else len(text)
        for count, row in enumerate(COOKIEBOT_ROW.finditer(text, table.end() - 1, end)):
            if count >= MAX_ROWS:
                break
            own = [n for n in (row[2], row[4]) if is_tiktoks(n, lists)]
            if own:
                placed.setdefault(category, []).extend(n[:80] for n in own)
    return placed


def _named_cookies(text: str, lists: Mapping[str, tuple[str, ...]]) -> Placed:
    """JSON with the cookies of each category in a list under the category's name, at any depth:
    `{"cookies": {"advertising": [{"name": "_ttp", "domain": "tiktok.com"}]}}`."""
    placed: Placed = {}
    for path, row in _objects(json.loads(text)):
        category = next((step for step in reversed(path) if isinstance(step, str)), None)
        own = [v for v in row.values() if isinstance(v, str) and is_tiktoks(v, lists)]
        if category is not None and own:
            placed.setdefault(category[:80], []).extend(n[:80] for n in own)
    return placed


def _slugs(text: str, lists: Mapping[str, tuple[str, ...]]) -> Placed:
    """A script that names each category (`"slug":"analytics"`) before its cookies, and the categories of each host that
    it holds back (`{"re":"tiktok.com","categories":["advertisement"]}`). The keys may be unquoted."""
    placed: Placed = {}
    slugs = list(SLUG.finditer(text))[:MAX_CATEGORIES]
    ends = [s.start() for s in slugs[1:]] + [len(text)]
    for slug, end in zip(slugs, ends, strict=False):
        cookies = [c[1] for c in COOKIE_ID.finditer(text, slug.end(), min(end, slug.end() + MAX_CATEGORY))]
        if own := [c[:80] for c in cookies if is_tiktoks(c, lists)]:
            placed.setdefault(slug[1], []).extend(own)
    for provider in HELD_BACK.finditer(text):
        host = provider[1].replace("\\", "")
        for category in re.findall(r"[\w-]{1,80}", provider[2]) if is_tiktoks(host, lists) else ():
            placed.setdefault(category, []).append(host[:80])
    return placed


def _templates(text: str, lists: Mapping[str, tuple[str, ...]]) -> Placed:
    """JSON in which each service has an id of the CMP's (`templateId`) and a name, and TikTok's pixel is one."""
    placed: Placed = {}
    for _, row in _objects(json.loads(text)):
        template = row.get("templateId")
        names = [v for v in row.values() if isinstance(v, str) and len(v) <= MAX_SERVICE_NAME and is_tiktok(v, lists)]
        if isinstance(template, str) and template and names:
            placed.setdefault(template[:80], []).extend(names)
    return placed


def _objects(parsed: Any) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """All objects in some JSON, each with the keys and positions that lead to it."""
    left: list[tuple[tuple[str | int, ...], Any]] = [((), parsed)]
    seen = 0
    while left and seen < MAX_ROWS:
        path, value = left.pop()
        seen += 1
        inner: Iterable[tuple[str | int, Any]] = ()
        if isinstance(value, dict):
            yield path, value
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)
        if len(path) < MAX_DEPTH:
            left += [((*path, step), v) for step, v in inner if isinstance(v, dict | list)]


READERS: dict[str, Callable[[str, Mapping[str, tuple[str, ...]]], Placed]] = {
    "onetrust": _onetrust,
    "cookiebot": _cookiebot,
    "named_cookies": _named_cookies,
    "slugs": _slugs,
    "templates": _templates,
}


def is_tiktoks(name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a cookie's name or a host is TikTok's pixel's."""
    short = name.strip().lower()[:200]
    if short in lists["tiktok_cookies"]:
        return True
    host = re.sub(r"^(https?://)?\.?", "", short).partition("/")[0]
    return "." in host and registrable_domain(host) in lists["tiktok_hosts"]


def read_gpc_file(exchange: Exchange) -> dict[str, Any] | None:
    """`/.well-known/gpc.json` of the site: whether it says that it honours GPC. None: no such file."""
    response = exchange.response
    if exchange.path != GPC_FILE or response is None or response.status != 200:
        return None
    try:
        parsed = json.loads((response.body or b"")[:65_536])
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("gpc"), bool):
        return None
    updated = parsed.get("lastUpdate")
    return {"gpc": parsed["gpc"], "last_update": updated[:40] if isinstance(updated, str) else None}
