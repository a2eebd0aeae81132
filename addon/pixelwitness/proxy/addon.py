"""The mitmproxy add-on. Every hook is guarded: a fault here never breaks or delays a page."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import ClassVar, Literal

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
from pixelwitness.proxy.faults import Lost, fault
from pixelwitness.proxy.marking import Flows, Told, mark
from pixelwitness.proxy.news import News
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.proxy.settings import PREFIX, Settings
from pixelwitness.proxy.streaming import may_stream
from pixelwitness.proxy.words import backlog_words, line
from pixelwitness.report.harmless import safe
from pixelwitness.run import OWN_HOST, now
from pixelwitness.sources.mitm import client_of, exchange_from_flow, request_state
from pixelwitness.sources.mitm import with_response as answered

logger = logging.getLogger(__name__)
MOST_FAULTS = 20
MOST_LINES = 30
MOST_SEEN = 10_000
HOLD_SECONDS = 5.0
"""For how long a request waits at most for room in the recorder's queue."""
HOLD_STEP = 0.05

type Stage = Literal["request", "response"]


class PixelWitness:
    """Records what passes the proxy in a ledger, judges it there, and says on the flows what was judged."""

    _kept: ClassVar[Recorder | None] = None
    """Goes on while a script that holds the add-on is loaded anew."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.judgement: Judgement | None = None
        self.faults = 0
        self.failed = False
        """Whether the last run could not be closed."""
        self._said_passed = False
        self.addons = [Commands(self, logger.info)]
        self._flows = Flows()
        self._taken: weakref.WeakKeyDictionary[http.HTTPFlow, tuple[tuple[object, ...], Exchange]]
        self._taken = weakref.WeakKeyDictionary()
        """What was read of requests that wait for their response."""
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
            self._say_keeping(wanted)
            logger.info("pixelwitness: from now on with the new settings; the change is on the record")

    def running(self) -> None:
        """Opens the ledger. A ledger that cannot be opened stops the proxy: silence would look like an audit."""
        settings.refuse_unknown(ctx.options)
        wanted = settings.read(ctx.options)
        VIEW.lens, VIEW.on_fault = wanted.lens, self._shown_badly
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
        self._say_keeping(wanted)
        logger.info("pixelwitness: recording run %s into %s", recorder.run_id, wanted.db)
        logger.info("pixelwitness: what is still to be seen: http://%s/ through this proxy", OWN_HOST)
        for row in guide.lines(guide.steps(None, wanted.lens.scope.hosts)):
            logger.info("pixelwitness: %s", row)

    def _say_keeping(self, wanted: Settings) -> None:
        if wanted.keep_plaintext:
            logger.warning(
                "pixelwitness: keep_plaintext: requests are stored as they are sent, with clear text of persons "
                "(cookies and credentials masked). Keep the ledger as you keep their files"
            )

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
        self._say_end(recorder)

    def _say_end(self, recorder: Recorder) -> None:
        db = recorder.settings.db
        counts = recorder.backlog.counts
        if counts.passed or counts.held or counts.bodies_left_out:
            logger.warning("pixelwitness: the disk did not keep up: %s", backlog_words(counts))
        if recorder.head and not recorder.failure and not recorder.unwritten:
            logger.info("pixelwitness: run %s is complete; chain head %s", recorder.run_id, recorder.head)
            return
        self.failed = True
        lost = f", and {recorder.unwritten} observations are missing" if recorder.unwritten else ""
        head = f" Chain head {recorder.head}." if recorder.head else ""
        logger.error(
            "pixelwitness: run %s is NOT complete%s: %s. What was recorded before is kept; when that is mended, "
            "`pixelwitness rejudge %s` judges it.%s", recorder.run_id, lost, recorder.failure.rstrip("."), db, head,
        )  # fmt: skip

    def _is_reloading(self) -> bool:
        if ctx.master.should_exit.is_set():
            return False
        scripts = getattr(ctx.master.addons.get("scriptloader"), "addons", ())
        return any(self in getattr(s.ns, "addons", ()) for s in scripts if getattr(s, "ns", None) is not None)

    # --- traffic ----------------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Before anything is sent on: a request whose body is streamed has left by the time of `request`."""
        recorder = self.recorder
        if recorder is None or not recorder.settings.gpc.clients:
            return
        headers, metadata = flow.request.headers.copy(), dict(flow.metadata)
        if not self._guarded("GPC", lambda r: r.settings.gpc.covers(*self._names(flow, r)) and gpc.add_header(flow)):
            flow.request.headers, flow.metadata = headers, metadata

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Judging starts here: the beacon of a closing tab never gets a response.

        What it returns is to be awaited: the exchange waits for room, and nobody else does.
        """
        if flow.request.method == "CONNECT" or flow.response is not None:
            return None
        if desk.is_ours(flow.request):
            self._guarded("the guided page", lambda r: self._at_the_desk(flow, r))
            flow.response = flow.response or desk.fault()
            return None
        report = probe.is_report(flow.request)
        if report:
            flow.response = probe.answer()  # first of all: whatever fails after this, nothing of it reaches the site
        return self._take("request", flow, lambda r: not report or r.settings.probe.covers(*self._names(flow, r)))

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Where the auditor allows it, what no rule reads is streamed: mitmproxy then keeps no body of it."""
        recorder, response = self.recorder, flow.response
        if recorder is None or not recorder.settings.stream or response is None or response.stream:
            return
        if not self._guarded("streaming", lambda r: self._stream(flow, r)):
            response.stream = False

    def _stream(self, flow: http.HTTPFlow, recorder: Recorder) -> None:
        if flow.response is not None and may_stream(flow.request, flow.response, recorder.settings.lens.book):
            flow.response.stream = True

    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """What the response adds; it is recorded as it came, before anything is put into it."""
        refused = flow.response is not None and flow.response.status_code == 407
        if flow.request.method == "CONNECT" or refused or (flow not in self._taken and desk.is_ours(flow.request)):
            return None
        waits = None
        if not probe.is_report(flow.request):
            waits = self._take("response", flow, lambda r: True)
        self._taken.pop(flow, None)
        recorder, response = self.recorder, flow.response
        if (
            recorder is None
            or response is None
            or not (recorder.settings.gpc.clients or recorder.settings.probe.clients)
        ):
            return waits
        headers, content = response.headers.copy(), response.raw_content
        if not self._guarded("GPC or the probe", lambda r: self._change_page(flow, r)):
            response.headers, response.raw_content = headers, content
        return waits

    def _take(
        self, stage: Stage, flow: http.HTTPFlow, wanted: Callable[[Recorder], bool]
    ) -> Awaitable[None] | None:  # fmt: skip
        waiting: list[Awaitable[None]] = []

        def take(recorder: Recorder) -> None:
            if not wanted(recorder):
                return  # a report from a page that was kept in the browser's cache since the probe was on
            exchange = self._exchange(flow, recorder, with_response=stage == "response")
            if stage == "request":
                self._flows.remember(exchange.id, flow)
            if not recorder.put(stage, exchange):
                waiting.append(self._wait(recorder, stage, exchange))

        self._guarded(f"taking a {stage}", take, "addon_fault")
        return waiting[0] if waiting else None

    async def _wait(self, recorder: Recorder, stage: Stage, exchange: Exchange) -> None:
        """Waits for room while the disk moves; where it does not, or for too long, the exchange passes, counted."""
        start = time.monotonic()
        while recorder.alive and not recorder.backlog.stalled and time.monotonic() - start < HOLD_SECONDS:
            await asyncio.sleep(HOLD_STEP)
            if recorder.put(stage, exchange):
                recorder.backlog.held(time.monotonic() - start)
                return
        recorder.backlog.passed(exchange.client, exchange.host)
        if not self._said_passed:
            self._said_passed = True
            logger.error("pixelwitness: the disk does not keep up: requests pass that are NOT recorded, only counted")

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
        if with_response:
            state, before = self._taken.pop(flow, (None, None))
            # Unless something changed the request since: then it is read anew, as a replay of the flow would.
            if before is not None and state == request_state(flow):
                return answered(before, flow)
        exchange = exchange_from_flow(flow, with_response=with_response)
        name = recorder.settings.names.name(exchange.client)
        exchange = exchange if name == exchange.client else replace(exchange, client=name)
        if not with_response:
            self._taken[flow] = (request_state(flow), exchange)
        return exchange

    def _names(self, flow: http.HTTPFlow, recorder: Recorder) -> tuple[str, str]:
        client = client_of(flow)
        return recorder.settings.names.name(client), client

    def _at_the_desk(self, flow: http.HTTPFlow, recorder: Recorder) -> None:
        client = self._names(flow, recorder)[0]

        def page() -> str:
            return guide.page(self.judgement, recorder.settings, recorder.run_id, list(self._latest), client)

        flow.response = desk.answer(flow.request, page, lambda text, prop: mark_of(recorder, text, prop, client))

    # --- what cannot be read ----------------------------------------------------------------------------------------

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """A client that refuses interception: what is still known of it."""
        self._guarded("refused TLS", lambda r: r.note(refusals.refused(data, r.settings.names)), "addon_fault")

    def next_layer(self, data: layer.NextLayer) -> None:
        """The first bytes of a connection: QUIC goes past an audit, whether it is blocked or not."""
        client = data.context.client
        if client.transport_protocol != "udp" or client.id in self._quic:
            return
        address = data.context.server.address
        if address and address[1] == 443 and data.data_client()[:1] >= b"\xc0":
            self._quic.append(client.id)
            self._guarded(
                "QUIC", lambda r: r.note(refusals.quic(data.context, r.settings.names, http3=ctx.options.http3)),
                "addon_fault",
            )  # fmt: skip

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

        self._guarded("a connection that passed through", note, "addon_fault")

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
            self._guarded("marks on flows", lambda r, n=news: self._tell(n, r.settings), of=recorder)  # type: ignore[misc]

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

    def _guarded(
        self, stage: str, action: Callable[[Recorder], object], kind: Lost = "program_fault", *,
        of: Recorder | None = None,
    ) -> bool:  # fmt: skip
        """False where the action failed: the exchange passes, and that we failed on it is on the record."""
        recorder = of or self.recorder
        if recorder is None:
            return True
        try:
            action(recorder)
        except Exception as error:
            self._fault(recorder, stage, error, kind)
            return False
        return True

    def _fault(self, recorder: Recorder, stage: str, error: Exception, kind: Lost = "program_fault") -> None:
        spot = fault(stage, error, kind)
        self._told_fault(f"{spot.detail}: {error}")
        recorder.note(spot)

    def _shown_badly(self, error: Exception) -> None:
        """The content view failed on a flow."""
        if self.recorder is not None:
            self._fault(self.recorder, "the content view", error)

    def _told_fault(self, what: str) -> None:
        self.faults += 1
        if self.faults <= MOST_FAULTS:
            logger.warning("pixelwitness: fault: %s", safe(what, 600))
