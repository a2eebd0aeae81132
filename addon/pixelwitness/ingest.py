"""From an exchange to what it says: pure per exchange, so that files can be read in parallel."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urljoin

from pixelwitness.classify import Classified, class_of, classify, is_document
from pixelwitness.consent import probe
from pixelwitness.consent.app import app_signals
from pixelwitness.consent.configs import GPC_FILE, covers
from pixelwitness.consent.index import index_of
from pixelwitness.consent.read import request_signals, response_signals
from pixelwitness.exchange import Exchange, header_values, taken_apart
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.mask import mask_text
from pixelwitness.observations import NEVER_SENT, BlindSpot, FirstParty, Frame, Observed, PageView, Signal
from pixelwitness.pagetext import may_be_page, names_others
from pixelwitness.pixels.decode import completed, disclosed, hits, page_of
from pixelwitness.pixels.hosted import hosted, may_be_script
from pixelwitness.property import property_of, registrable_domain
from pixelwitness.rulebook import Rulebook

MAX_NAMES = 400
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_LOCATION = 65_536
MAX_URL = 2048
"""Characters of a URL whose answer is remembered."""
NOT_OWN = frozenset({"cmp", "tag_manager", "advertising", "analytics", "app_sdk"})
"""Classes of hosts that are no site's own, whoever's page asks."""
FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


def observe_request(exchange: Exchange, book: Rulebook, people: People = NOBODY) -> Observed:
    """What the request alone says; judging can start with this. `people` are the auditor's test personas."""
    if probe.is_report(exchange):
        return _probed(exchange, book)
    classified = classify(exchange, book)
    if not exchange.host:
        return Observed(category="other")
    top = _is_top_document(exchange, classified)
    made, spots = hits(exchange, classified, book, people)
    sent = book.judging.was_sent(exchange.error)
    if made and not sent:
        made, spots = (), (*spots, _blocked(exchange, "blocked_send"))
    if classified.category == "tag_manager" and not sent:
        spots = (*spots, _blocked(exchange, "tag_manager_blocked"))
    # A payload's marker on a host that is not the vendor's proves nothing until the payload was read.
    category = classified.category if made or spots or not _is_anywhere(classified) else "other"
    signals = request_signals(exchange, book, category=category, document=top, own_site=_is_anywhere(classified))
    if category == "app_sdk":
        signals += app_signals(exchange, made, book)
    return Observed(
        category=category,
        page_view=_page_view(exchange) if top and sent else None,
        first_party=_first_party(exchange, classified, top=top) if sent else None,
        frame=_frame(exchange, classified) if not top else None,
        hits=made,
        signals=signals if sent else _never_sent(signals),
        blind_spots=spots,
    )


def observe_response(exchange: Exchange, book: Rulebook, people: People = NOBODY) -> Observed:
    """What the response adds: rows with the ids of the request's replace them."""
    response = exchange.response
    if probe.is_report(exchange):
        return Observed(category=probe.CATEGORY)
    classified = classify(exchange, book)
    if response is None or not exchange.host or not book.judging.was_sent(exchange.error):
        return Observed(category=classified.category)
    top = _is_top_document(exchange, classified)
    first_party = _first_party(exchange, classified, top=top)
    names = _set_cookie_names(exchange)
    made, _ = hits(exchange, classified, book, people) if classified.endpoint is not None else ((), ())
    ahead = _redirected(exchange, book) if not made else None
    scripts, settings = hosted(exchange, book)
    return Observed(
        category=classified.category if made or not _is_anywhere(classified) else "other",
        page_view=_page_view(exchange) if top else None,
        first_party=first_party.model_copy(update={"set_cookie_names": names}) if first_party and names else None,
        hits=completed(exchange, made, book),
        settings=(*disclosed(exchange, made, book), *settings),
        hosted=scripts,
        signals=response_signals(exchange, book, category=classified.category, own_site=_is_anywhere(classified)),
        blind_spots=(ahead,) if ahead is not None else (),
    )


def reads_response(url: str, body: str | bytes, book: Rulebook) -> bool:
    """Whether any rule reads the body of a response from a URL; of all others the head is enough.

    Bodies are read of the vendor's scripts (from any host: a look at the body as it is written tells) and
    configurations, of consent systems, of a site's word on GPC, and of pages.
    """
    parts, host = taken_apart(url)
    known = _reads(host, parts.path, book) if len(url) <= MAX_URL else _reads.__wrapped__(host, parts.path, book)
    if known or not body:
        return known
    text = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return may_be_page(text) or may_be_script(text, book)


@lru_cache(4096)
def _reads(host: str, path: str, book: Rulebook) -> bool:
    if class_of(host, book) is None:
        classified = classify(Exchange("", 0, "GET", f"https://{host}{path}"), book)
        if classified.endpoint is not None or classified.category == "cmp":
            return True
    return path == GPC_FILE or any(covers(c, path) for _, c in index_of(book).configs.lookup(host))


def _probed(exchange: Exchange, book: Rulebook) -> Observed:
    """A report of the probe: the site's own jar, and what the page's script saw beside it."""
    found = probe.items(exchange)
    own = request_signals(exchange, book, category=probe.CATEGORY, document=False, own_site=True)
    return Observed(
        category=probe.CATEGORY,
        first_party=probe.probe_jar(exchange, found),
        signals=(*own, *probe.probe_signals(exchange, found, book)) if found else (),
    )


def _is_anywhere(classified: Classified) -> bool:
    return classified.endpoint is not None and not classified.endpoint.hosts


def _never_sent(signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """What a request says of consent that the browser or a tool stopped: recorders then show what the page asked for,
    and not the cookies that would have gone with it."""
    return tuple(
        s.model_copy(update={"detail": {**s.detail, NEVER_SENT: True}}) for s in signals if s.source != "cookie"
    )


def _blocked(exchange: Exchange, kind: str) -> BlindSpot:
    return BlindSpot(
        client=exchange.client,
        agent=exchange.agent,
        host=exchange.host,
        kind=kind,
        detail=f"{exchange.host}{exchange.path}: {exchange.error}"[:200],
        at=exchange.started_at,
        exchange_id=exchange.id,
        url=mask_text(exchange.url),
        page=page_of(exchange),
    )


def _redirected(exchange: Exchange, book: Rulebook) -> BlindSpot | None:
    """An answer that sends the browser on to the pixel's vendor. Whether it went there judging looks up."""
    response = exchange.response
    to = header_values(response.headers, "location") if response and response.status in REDIRECTS else []
    if not to or len(to[0]) > MAX_LOCATION:
        return None
    try:
        url = urljoin(exchange.url, to[0].strip()).partition("#")[0]
    except ValueError:
        return None
    target = Exchange(exchange.client, exchange.started_at, exchange.method, url)
    endpoint = classify(target, book).endpoint if target.host else None
    if endpoint is None or not endpoint.hosts:
        return None
    spot = _blocked(exchange, "redirect")
    detail = mask_text(f"{exchange.host}{exchange.path} to {target.host}{target.path}")[:200]
    return spot.model_copy(update={"detail": detail, "url": mask_text(url)})


def _is_top_document(exchange: Exchange, classified: Classified) -> bool:
    """Whether the request asks for a top-level page.

    Without Sec-Fetch-Dest a navigation and a frame look alike: then a host of a known tracker, or a page of another
    site as Referer, means a frame. A page view too few is safe; one too many would be a false "tested".
    """
    fields = exchange.fields
    destination = fields.get("sec-fetch-dest")
    if destination is not None:
        return destination == "document"
    if classified.category not in ("document", "other"):
        return False
    if not is_document(exchange) and not looks_like_a_page(exchange):
        return False
    referer = property_of(fields.get("referer"))
    return referer is None or referer == registrable_domain(exchange.host)


def looks_like_a_page(exchange: Exchange) -> bool:
    """For recorders that leave out what browsers say: a GET that names no wish and got HTML."""
    if exchange.method != "GET" or exchange.response is None or "accept" in exchange.fields:
        return False
    kinds = header_values(exchange.response.headers, "content-type")
    return "origin" not in exchange.fields and any(k.lower().startswith("text/html") for k in kinds)


def _page_view(exchange: Exchange) -> PageView:
    fields = exchange.fields
    gpc = fields.get("sec-gpc", "").strip() == "1"
    return PageView(
        id=exchange.id,
        client=exchange.client,
        agent=exchange.agent,
        at=exchange.started_at,
        url=mask_text(exchange.url),
        host=exchange.host,
        referer=mask_text(fields["referer"]) if "referer" in fields else None,
        gpc=gpc,
        gpc_added_by_proxy=gpc and "sec-gpc" in exchange.added_headers,
        prerender="prefetch" in (fields.get("sec-purpose", "") + fields.get("purpose", "")),
        status=exchange.response.status if exchange.response else None,
        is_page=_is_page(exchange),
        names_others=_names_others(exchange),
    )


def _names_others(exchange: Exchange) -> bool | None:
    response = exchange.response
    if response is None or not response.body or response.body_state != "complete" or exchange.method == "HEAD":
        return None
    return names_others(response.body) if _is_page(exchange) else None


def _is_page(exchange: Exchange) -> bool:
    """False for a HEAD request, and for an answer that says that it is something else than a page."""
    kinds = header_values(exchange.response.headers, "content-type") if exchange.response else []
    return exchange.method != "HEAD" and (not kinds or any("html" in k.lower() for k in kinds))


def _frame(exchange: Exchange, classified: Classified) -> Frame | None:
    if exchange.fields.get("sec-fetch-dest") in FRAMES or classified.category == "document":
        page = page_of(exchange)
        if page is not None:
            return Frame(
                id=exchange.id, client=exchange.client, at=exchange.started_at, url=mask_text(exchange.url), parent=page
            )
    return None


def _first_party(exchange: Exchange, classified: Classified, *, top: bool) -> FirstParty | None:
    """A request to a site's own host in that site's own page; None for what other sites ask of it."""
    copied = _is_anywhere(classified) and classified.category.startswith("pixel_")
    if not is_own(exchange, "other" if copied else classified.category, top=top):
        return None
    fields = exchange.fields
    site, header = fields.get("sec-fetch-site"), fields.get("cookie")
    placed = site is not None or property_of(fields.get("referer") or fields.get("origin")) is not None
    names = _cookie_names(header) if header else None
    # A navigation from another site leaves Strict cookies out: an empty jar is then shown only by no cookie at all.
    crossing = site == "cross-site" and (exchange.method != "GET" or names is not None)
    return FirstParty(
        id=exchange.id,
        client=exchange.client,
        agent=exchange.agent,
        at=exchange.started_at,
        host=exchange.host,
        document=top,
        cookie_names=None if crossing else names,
        authoritative=top and not crossing,
        own_page=top or placed,
        cookies_complete=exchange.cookies_complete,
        gpc=fields.get("sec-gpc", "").strip() == "1",
    )


def is_own(exchange: Exchange, category: str, *, top: bool) -> bool:
    """Whether a request shows the jar of the site that it went to: its own page asked for it."""
    if category in NOT_OWN or category.startswith("pixel_"):
        return False
    fields = exchange.fields
    site = fields.get("sec-fetch-site")
    if top or site is not None:
        return top or site in ("same-origin", "same-site")
    page = property_of(fields.get("referer") or fields.get("origin"))
    # Without Sec-Fetch-Site and without a page, a request that carries cookies still shows the site's jar.
    return page == registrable_domain(exchange.host) or (page is None and "cookie" in fields)


def _cookie_names(header: str) -> tuple[str, ...]:
    return _names_in(header) if len(header) <= 16_384 else _names_in.__wrapped__(header)


@lru_cache(256)
def _names_in(header: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p.partition("=")[0].strip() for p in header.split(";")))[:MAX_NAMES]


def _set_cookie_names(exchange: Exchange) -> tuple[str, ...]:
    lines = header_values(exchange.response.headers, "set-cookie") if exchange.response else []
    return tuple(dict.fromkeys(line.partition("=")[0].strip() for line in lines))[:MAX_NAMES]
