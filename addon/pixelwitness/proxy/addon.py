"""The mitmproxy add-on. Every hook is guarded: a fault here never breaks or delays a page."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from mitmproxy import ctx, exceptions, http, optmanager, tls
from mitmproxy.addonmanager import Loader

from pixelwitness.identity.people import People, load_people
from pixelwitness.ledger.parts import MAX_BODY
from pixelwitness.ledger.store import LedgerError
from pixelwitness.observations import BlindSpot
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.rulebook import Rulebook, RuleError, load_rulebook
from pixelwitness.rulebook.law import Regime
from pixelwitness.run import DEFAULT_REGIMES, Lens, Scope, now
from pixelwitness.sources.mitm import exchange_from_flow

logger = logging.getLogger(__name__)
PREFIX = "pixelwitness_"


class PixelWitness:
    """Records what passes the proxy in a ledger, and judges it there."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.faults = 0

    def load(self, loader: Loader) -> None:
        """Declares the options; a wrong or misspelt one stops the start (mitmproxy alone would go on without us)."""
        loader.add_option("pixelwitness_db", str, "audit.db", "The ledger: a SQLite file, made where there is none.")
        loader.add_option(
            "pixelwitness_regimes", Sequence[str], [], "Bodies of law to judge by, e.g. eu. Default: eu and us-ca."
        )
        loader.add_option("pixelwitness_rules", Sequence[str], [], "Folders of rules that add to or replace ours.")
        loader.add_option("pixelwitness_scope", Sequence[str], [], "Keep only these hosts and their pages' traffic.")
        loader.add_option(
            "pixelwitness_identity", str, "", "A YAML file of test personas, whose values are looked for."
        )
        loader.add_option(
            "pixelwitness_keep_plaintext", bool, False, "Store clear text of persons unmasked. Off: masked."
        )
        loader.add_option("pixelwitness_max_body", int, MAX_BODY, "Bytes of a request's body that are stored at most.")
        try:
            loader.master.options.process_deferred()
        except exceptions.OptionsError as error:
            logger.error("pixelwitness: %s", error)
            raise
        self._refuse_unknown(loader.master.options)

    def _refuse_unknown(self, options: optmanager.OptManager) -> None:
        """An error that is logged before the proxy runs stops it: mitmproxy checks for that."""
        unknown = sorted(name for name in options.deferred if name.startswith(PREFIX))
        if unknown:
            known = ", ".join(sorted(name for name in options._options if name.startswith(PREFIX)))
            logger.error("pixelwitness: no such option: %s. There are: %s", ", ".join(unknown), known)

    def configure(self, updated: set[str]) -> None:
        """Checks the options. Raises OptionsError, which stops the start."""
        emudhra = [n for n in ctx.options._options if n.startswith("emudhra") and getattr(ctx.options, n)]
        if emudhra:
            raise exceptions.OptionsError(
                f"pixelwitness does not run with {emudhra[0]}: certificates under a compromised public CA prove nothing"
            )
        if any(name.startswith(PREFIX) for name in updated):
            self._settings()
            if self.recorder is not None:
                logger.warning("pixelwitness: options take effect when the proxy is started again")

    def _settings(self) -> tuple[tuple[Regime, ...], Rulebook, People]:
        try:
            book = load_rulebook(tuple(Path(p) for p in ctx.options.pixelwitness_rules))
        except RuleError as error:
            raise exceptions.OptionsError(f"pixelwitness_rules: {error}") from error
        names = list(ctx.options.pixelwitness_regimes) or list(DEFAULT_REGIMES)
        unknown = [n for n in names if n not in book.regimes]
        if unknown:
            known = ", ".join(sorted(book.regimes))
            raise exceptions.OptionsError(f"pixelwitness_regimes: no regime {', '.join(unknown)}. There are: {known}")
        identity = ctx.options.pixelwitness_identity
        try:
            people = load_people(Path(identity).expanduser() if identity else None, book.identity)
        except RuleError as error:
            raise exceptions.OptionsError(f"pixelwitness_identity: {error}") from error
        return tuple(book.regimes[n] for n in names), book, people

    def running(self) -> None:
        """Opens the ledger. A ledger that cannot be opened stops the proxy: silence would look like an audit."""
        self._refuse_unknown(ctx.options)
        regimes, book, people = self._settings()
        scope = Scope(tuple(h.lower().strip(".") for h in ctx.options.pixelwitness_scope))
        path = Path(ctx.options.pixelwitness_db).expanduser()
        recorder = Recorder(
            path, regimes, Lens(book, scope, people), {"scope": list(scope.hosts), "identity": people.source,
             "keep_plaintext": ctx.options.pixelwitness_keep_plaintext},
            named=tuple(ctx.options.pixelwitness_regimes),
            keep_plaintext=ctx.options.pixelwitness_keep_plaintext, max_body=ctx.options.pixelwitness_max_body,
            on_fault=self._told,
        )  # fmt: skip
        try:
            recorder.start()
        except LedgerError as error:
            logger.error("pixelwitness: %s", error)
            ctx.master.shutdown()
            return
        self.recorder = recorder
        self._catch_hangup()
        logger.info("pixelwitness: recording run %s into %s", recorder.run_id, path)

    def _catch_hangup(self) -> None:
        """mitmproxy has no handler for SIGHUP: without one, closing the terminal loses what is queued."""
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is None:
            return
        try:
            asyncio.get_running_loop().add_signal_handler(hangup, ctx.master.shutdown)
        except (NotImplementedError, RuntimeError, ValueError):
            logger.debug("pixelwitness: no signal handlers here (not the main thread, or not this system)")

    def request(self, flow: http.HTTPFlow) -> None:
        """Judging starts here: the beacon of a closing tab never gets a response."""
        if flow.request.method != "CONNECT" and flow.response is None:
            self._guarded(lambda r: r.put("request", exchange_from_flow(flow, with_response=False)))

    def response(self, flow: http.HTTPFlow) -> None:
        """What the response adds."""
        refused = flow.response is not None and flow.response.status_code == 407
        if flow.request.method != "CONNECT" and not refused:
            self._guarded(lambda r: r.put("response", exchange_from_flow(flow)))

    def tls_failed_client(self, data: tls.TlsData) -> None:
        """A client that refuses interception: what is still known of it."""

        def note(recorder: Recorder) -> None:
            peer = data.context.client.peername
            mode = data.context.client.proxy_mode.full_spec
            client = "|".join(part for part in (mode, peer[0] if peer else "") if part)
            name = data.conn.sni or (data.context.server.address or ("an unknown host",))[0]
            spot = BlindSpot(client=client, host=str(name), kind="tls_refused", detail=str(name)[:200], at=now())
            recorder.note(spot)

        self._guarded(note)

    def done(self) -> None:
        """Writes everything, judges for good, and says where it is."""
        if self.recorder is None:
            return
        recorder, self.recorder = self.recorder, None
        recorder.close()
        logger.info("pixelwitness: run %s is complete; chain head %s", recorder.run_id, recorder.head)

    def _guarded(self, action: Callable[[Recorder], object]) -> None:
        if self.recorder is None:
            return
        try:
            action(self.recorder)
        except Exception as error:
            # The exchange passes; that we failed on it is on the record.
            self._told(f"{type(error).__name__}: {error}")
            self.recorder.note(BlindSpot(client=None, kind="addon_fault", detail=type(error).__name__, at=now()))

    def _told(self, what: str) -> None:
        self.faults += 1
        if self.faults <= 20:
            logger.warning("pixelwitness: fault: %s", what)
