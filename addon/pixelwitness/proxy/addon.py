"""The mitmproxy add-on. Every hook is guarded: a fault here never breaks or delays a page."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import ClassVar

from mitmproxy import contentviews, ctx, exceptions, hooks, http, tcp, tls, udp
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import layer

from pixelwitness.audit.model import Judgement
from pixelwitness.exchange import Exchange
from pixelwitness.ledger.store import LedgerError
from pixelwitness.observations import BlindSpot
from pixelwitness.proxy import desk, gpc, guide, pages, probe, refusals, settings
from pixelwitness.proxy.commands import Commands, mark_of
from pixelwitness.proxy.contentview import VIEW
from pixelwitness.proxy.csp import open_headers, source_of
from pixelwitness.proxy.marking import Flows, Told, mark
from pixelwitness.proxy.recorder import News, Recorder
from pixelwitness.proxy.settings import PREFIX, Settings
from pixelwitness.proxy.words import line
from pixelwitness.run import OWN_HOST, now
from pixelwitness.sources.mitm import client_of, exchange_from_flow

logger = logging.getLogger(__name__)
MOST_FAULTS = 20
MOST_LINES = 30
MOST_SEEN = 10_000


class PixelWitness:
    """Records what passes the proxy in a ledger, judges it there, and says on the flows what was judged."""

    _kept: ClassVar[Recorder | None] = None
    """Goes on while a script that holds the add-on is loaded anew."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.judgement: Judgement | None = None
        self.faults = 0
        self.addons = [Commands(self, logger.info)]
        self._flows = Flows()
        self._told: dict[str, dict[str, Told]] = {}
        self._latest: deque[str] = deque(maxlen=MOST_LINES)
        self._steps_done: set[tuple[str, str]] = set()
        self._quic: deque[str] = deque(maxlen=1000)
        self._news: SimpleQueue[News] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- life -------------------------------------------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        """Declares the options and the content view."""
        settings.declare(loader)
        contentviews.add(VIEW)

    def configure(self, updated: set[str]) -> None:
        """Checks the options, and follows them while running. Raises OptionsError: the option keeps its old value."""
        settings.refuse_forged_authority(ctx.options)
        if not any(name.startswith(PREFIX) for name in updated):
            return
        wanted = settings.read(ctx.options)
        recorder = self.recorder
        if recorder is None:
            return
        if wanted.db != recorder.settings.db:
            raise exceptions.OptionsError(
                f"pixelwitness_db: this session goes into {recorder.settings.db}; start the proxy anew for another"
            )
        if wanted != recorder.settings:
            recorder.change(wanted)
            VIEW.lens = wanted.lens
            logger.info("pixelwitness: from now on with the new settings; the change is on the record")

    def running(self) -> None:
        """Opens the ledger. A ledger that cannot be opened stops the proxy: silence would look like an audit."""
        settings.refuse_unknown(ctx.options)
        wanted = settings.read(ctx.options)
        VIEW.lens = wanted.lens
        self._loop = asyncio.get_running_loop()
        kept, PixelWitness._kept = PixelWitness._kept, None
        if kept is not None and kept.settings.db == wanted.db and kept.adopt(self._hear, self._told_fault):
            self.recorder = kept
            if kept.settings != wanted:
                kept.change(wanted)
            logger.info("pixelwitness: run %s goes on", kept.run_id)
            return
        recorder = Recorder(wanted, on_news=self._hear, on_fault=self._told_fault)
        try:
            recorder.start()
        except LedgerError as error:
            logger.error("pixelwitness: %s", error)
            ctx.master.shutdown()
            return
        self.recorder = recorder
        self._catch_hangup()
        logger.info("pixelwitness: recording run %s into %s", recorder.run_id, wanted.db)
        logger.info("pixelwitness: what is still to be seen: http://%s/ through this proxy", OWN_HOST)
        for row in guide.lines(guide.steps(None, wanted.lens.scope.hosts)):
            logger.info("pixelwitness: %s", row)

    def _catch_hangup(self) -> None:
        """mitmproxy has no handler for SIGHUP: without one, closing the terminal loses what is queued."""
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is None:
            return
        try:
            asyncio.get_running_loop().add_signal_handler(hangup, ctx.master.shutdown)
        except (NotImplementedError, RuntimeError, ValueError):
            logger.debug("pixelwitness: no signal handlers here (not the main thread, or not this system)")

    def done(self) -> None:
        """Writes everything, judges for good, and says where it is; a script's reload only passes the recorder on."""
        if self.recorder is None:
            return
        recorder, self.recorder = self.recorder, None
        if self._is_reloading():
            recorder.orphan()
            PixelWitness._kept = recorder
            return
        recorder.close()
        self._listen(recorder)
        logger.info("pixelwitness: run %s is complete; chain head %s", recorder.run_id, recorder.head)

    def _is_reloading(self) -> bool:
        if ctx.master.should_exit.is_set():
            return False
        scripts = getattr(ctx.master.addons.get("scriptloader"), "addons", ())
        return any(self in getattr(s.ns, "addons", ()) for s in scripts if getattr(s, "ns", None) is not None)

    # --- traffic ----------------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Before anything is sent on: a request whose body is streamed has left by the time of `request`."""
        self._guarded(lambda r: r.settings.gpc.covers(*self._names(flow, r)) and gpc.add_header(flow))

    def request(self, flow: http.HTTPFlow) -> None:
        """Judging starts here: the beacon of a closing tab never gets a response."""
        if flow.request.method == "CONNECT" or flow.response is not None:
            return
        self._guarded(lambda r: self._take_request(flow, r))

    def _take_request(self, flow: http.HTTPFlow, recorder: Recorder) -> None:
        if desk.is_ours(flow.request):
            flow.response = self._at_the_desk(flow, recorder)
            return
        exchange = self._exchange(flow, recorder, with_response=False)
        if probe.is_report(flow.request):
            flow.response = probe.answer()
            if not recorder.settings.probe.covers(*self._names(flow, recorder)):
                return  # from a page that was kept in the browser's cache since the probe was on
        self._flows.remember(exchange.id, flow)
        recorder.put("request", exchange)

    def response(self, flow: http.HTTPFlow) -> None:
        """What the response adds; it is recorded as it came, before anything is put into it."""
        refused = flow.response is not None and flow.response.status_code == 407
        if flow.request.method == "CONNECT" or refused or desk.is_ours(flow.request):
            return
        if not probe.is_report(flow.request):
            self._guarded(lambda r: r.put("response", self._exchange(flow, r, with_response=True)))
        self._guarded(lambda r: self._change_page(flow, r))

    def _change_page(self, flow: http.HTTPFlow, recorder: Recorder) -> None:
        response, names = flow.response, self._names(flow, recorder)
        scripts = {}
        if recorder.settings.gpc.covers(*names):
            scripts["gpc_in_page"] = gpc.SCRIPT
        if recorder.settings.probe.covers(*names):
            scripts["probe_in_page"] = probe.script(recorder.settings.lens.book)
        if not scripts or response is None or not pages.is_page(flow.request, response):
            return
        reports = probe.address(flow.request) if "probe_in_page" in scripts else None
        hashes = [source_of(s) for s in scripts.values()]
        if response.status_code == 304:
            open_headers(response.headers, hashes, reports)  # they replace those of the page in the browser's cache
            return
        if not pages.is_html(response):
            return
        why_not = pages.put_in(response, list(scripts.values()), reports)
        if why_not is None:
            open_headers(response.headers, hashes, reports)
        host, client = flow.request.pretty_host, names[0]
        for kind in scripts:
            detail = host if why_not is None else f"{host}: not put into a page ({why_not})"
            spot = kind if why_not is None else "page_left_alone"
            recorder.note(BlindSpot(client=client, host=host, kind=spot, detail=detail[:200], at=now()))

    def _exchange(self, flow: http.HTTPFlow, recorder: Recorder, *, with_response: bool) -> Exchange:
        exchange = exchange_from_flow(flow, with_response=with_response)
        name = recorder.settings.names.name(exchange.client)
        return exchange if name == exchange.client else replace(exchange, client=name)

    def _names(self, flow: http.HTTPFlow, recorder: Recorder) -> tuple[str, str]:
        client = client_of(flow)
        return recorder.settings.names.name(client), client

    def _at_the_desk(self, flow: http.HTTPFlow, recorder: Recorder) -> http.Response:
        client = self._names(flow, recorder)[0]

        def page() -> str:
            return guide.page(self.judgement, recorder.settings, recorder.run_id, list(self._latest), client)

        return desk.answer(flow.request, page, lambda text, prop: mark_of(recorder, text, prop, client))

    # --- what cannot be read ----------------------------------------------------------------------------------------

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """A client that refuses interception: what is still known of it."""
        self._guarded(lambda r: r.note(refusals.refused(data, r.settings.names)))

    def next_layer(self, data: layer.NextLayer) -> None:
        """The first bytes of a connection: QUIC goes past an audit, whether it is blocked or not."""
        client = data.context.client
        if client.transport_protocol != "udp" or client.id in self._quic:
            return
        address = data.context.server.address
        if address and address[1] == 443 and data.data_client()[:1] >= b"\xc0":
            self._quic.append(client.id)
            self._guarded(lambda r: r.note(refusals.quic(data.context, r.settings.names, http3=ctx.options.http3)))

    def tcp_end(self, flow: tcp.TCPFlow) -> None:
        """A connection that was passed through or spoke no HTTP."""
        self._pass(flow)

    def udp_end(self, flow: udp.UDPFlow) -> None:
        """The same for UDP."""
        self._pass(flow)

    def _pass(self, flow: tcp.TCPFlow | udp.UDPFlow) -> None:
        def note(recorder: Recorder) -> None:
            spot = refusals.passed_through(flow, recorder.settings.names)
            if spot is not None:
                recorder.note(spot)

        self._guarded(note)

    # --- what was judged --------------------------------------------------------------------------------------------

    def mark(self, text: str, prop: str | None, client: str | None) -> str:
        """An auditor's mark; returns what it was understood as."""
        if self.recorder is None:
            raise exceptions.CommandError("pixelwitness does not record")
        return mark_of(self.recorder, text, prop, client)

    def _hear(self, news: News) -> None:
        """In the writer thread: passes the news to the event loop."""
        self._news.put(news)
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._listen, self.recorder)
        except RuntimeError:
            pass  # the loop has ended; `done` listens for what is left

    def _listen(self, recorder: Recorder | None) -> None:
        """In the event loop: marks flows, writes lines, renews the checklist."""
        while recorder is not None:
            try:
                news = self._news.get_nowait()
            except Empty:
                return
            try:
                self._tell(news, recorder.settings)
            except Exception as error:
                self._told_fault(f"{type(error).__name__}: {error}")

    def _tell(self, news: News, current: Settings) -> None:
        self.judgement = news.judgement
        touched: dict[str, http.HTTPFlow] = {}
        for told in news.told:
            exchange_id = told.hit.exchange_id
            flow = self._flows.find(exchange_id)
            if flow is not None:
                self._told.setdefault(exchange_id, {})[told.hit.id] = told
                touched[exchange_id] = flow
            if told.hit.kind in ("event", "act", "app", "unreadable") or told.violations:
                self._say(told, current)
        for exchange_id, flow in touched.items():
            mark(flow, sorted(self._told[exchange_id].values(), key=lambda t: t.hit.ordinal))
        if len(self._told) > MOST_SEEN:
            self._told = {k: v for k, v in self._told.items() if self._flows.find(k) is not None}
        if touched:
            ctx.master.addons.trigger(hooks.UpdateHook(list(touched.values())))
        self._check_off(current)

    def _say(self, told: Told, current: Settings) -> None:
        words = line(told, current.lens.book)
        self._latest.appendleft(words)
        logger.log(logging.WARNING if told.word == "violation" else logging.INFO, "pixelwitness: %s", words)

    def _check_off(self, current: Settings) -> None:
        for step in guide.steps(self.judgement, current.lens.scope.hosts):
            if step.done and (step.site, step.state) not in self._steps_done:
                self._steps_done.add((step.site, step.state))
                logger.info("pixelwitness: seen: %s", step.words())

    # --- faults -----------------------------------------------------------------------------------------------------

    def _guarded(self, action: Callable[[Recorder], object]) -> None:
        if self.recorder is None:
            return
        try:
            action(self.recorder)
        except Exception as error:
            # The exchange passes; that we failed on it is on the record.
            self._told_fault(f"{type(error).__name__}: {error}")
            self.recorder.note(BlindSpot(client=None, kind="addon_fault", detail=type(error).__name__, at=now()))

    def _told_fault(self, what: str) -> None:
        self.faults += 1
        if self.faults <= MOST_FAULTS:
            logger.warning("pixelwitness: fault: %s", what)
