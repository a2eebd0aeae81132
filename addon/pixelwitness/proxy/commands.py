"""mitmproxy commands: what an auditor asks while recording, in the console, in mitmweb, or through its API."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from mitmproxy import command, exceptions, flow, http

from pixelwitness.audit.model import Judgement
from pixelwitness.consent.read import mark_signal
from pixelwitness.ledger.store import Ledger
from pixelwitness.proxy import guide
from pixelwitness.proxy.contentview import hits_of
from pixelwitness.proxy.marking import META
from pixelwitness.proxy.recorder import Recorder
from pixelwitness.proxy.words import backlog_words, explain
from pixelwitness.report.harmless import safe
from pixelwitness.report.write import write_private
from pixelwitness.run import now


class Session(Protocol):
    """What the commands need of the add-on."""

    recorder: Recorder | None
    judgement: Judgement | None

    def mark(self, text: str, prop: str | None, client: str | None) -> str:
        """Hands on an auditor's mark; returns what it was understood as."""


class Commands:
    """Everything answers from memory at once; what needs the ledger is done in the writer thread and announced."""

    name = "pixelwitness-commands"

    def __init__(self, session: Session, announce: Callable[[str], object]) -> None:
        self._session, self._announce = session, announce

    @command.command("pixelwitness.summary")
    def summary(self) -> Sequence[str]:
        """The state of the open session: verdicts, violations by rule, blind spots."""
        recorder, judgement = self._recorder(), self._session.judgement
        queue = f"queue: {backlog_words(recorder.backlog.counts)}"
        if judgement is None:
            return [f"run {recorder.run_id}: nothing was judged yet", queue]
        said = [
            f"run {recorder.run_id}, ledger {safe(recorder.settings.db)}",
            queue,
            f"{len(judgement.verdicts)} requests to the pixel",
        ]
        for regime in recorder.settings.regimes:
            words: dict[str, int] = {}
            for verdict in judgement.verdicts:
                word = verdict.verdicts.get(regime.id, "not judged")
                words[word] = words.get(word, 0) + 1
            said.append(f"{regime.id}: " + (", ".join(f"{n} {w}" for w, n in sorted(words.items())) or "nothing"))
        rules: dict[tuple[str, str, str], int] = {}
        for v in judgement.violations:
            key = (v.regime, v.property or "an unknown page", v.rule)
            rules[key] = rules.get(key, 0) + 1
        said += [
            f"violation: {rule} on {safe(prop, 80)} under {regime} x{n}" for (regime, prop, rule), n in rules.items()
        ]
        said += [f"blind spot: {s.kind} {safe(s.property or s.client or '', 80)}" for s in judgement.blind_spots[:20]]
        return [*said, "Provisional until the proxy stops."]

    @command.command("pixelwitness.coverage")
    def coverage(self, property: str = "") -> Sequence[str]:
        """Which states were tested, and what came of it; of one property where it is named."""
        self._recorder()
        rows = self._session.judgement.coverage if self._session.judgement else ()
        return [
            f"{safe(c.property, 80)}, {c.regime}, {c.state}: {c.result} "
            f"({c.page_views} page views, {sum(c.hits.values())} sends)"
            for c in rows
            if property in ("", c.property)
        ] or ["no page was seen yet" if not property else f"{property}: not seen yet"]

    @command.command("pixelwitness.session")
    def session(self) -> Sequence[str]:
        """The checklist: what is still to be seen of each property."""
        scope = self._recorder().settings.lens.scope.hosts
        steps = guide.steps(self._session.judgement, scope)
        return list(guide.lines(steps)) or ["Nothing was seen yet. Open the site."]

    @command.command("pixelwitness.explain")
    def explain(self, flows: Sequence[flow.Flow]) -> Sequence[str]:
        """Each request to the pixel explained: what, about whom, consent then, verdict."""
        lens = self._recorder().settings.lens
        said: list[str] = []
        for one in flows:
            hits = hits_of(one, lens) if isinstance(one, http.HTTPFlow) else ()
            if hits:
                meta = one.metadata.get(META)
                said += [*explain(hits, meta if isinstance(meta, dict) else None, lens.book), ""]
        return said or ["None of these is a request to a pixel vendor."]

    @command.command("pixelwitness.mark")
    def mark(self, text: str, property: str = "", client: str = "") -> str:
        """Note what you do: "fresh profile", "nothing clicked", "clicked accept", "clicked reject"."""
        if not text.strip():
            raise exceptions.CommandError("pixelwitness.mark: say what you do, e.g. 'clicked reject'")
        meaning = self._session.mark(text, property or None, client or None)
        known = "a note that decides nothing" if meaning == "note" else f"understood as: {meaning.replace('_', ' ')}"
        return f"Marked: {text!r} ({known})"

    @command.command("pixelwitness.report")
    def report(self, path: str = "pixelwitness-report.txt") -> str:
        """Write the report so far: text, or HTML where the name ends so; the log says when it is there."""
        recorder = self._recorder()
        target, book = Path(path).expanduser(), recorder.settings.lens.book

        def task(ledger: Ledger, run_id: str) -> None:
            from pixelwitness.report.html import render_html
            from pixelwitness.report.summary import summarise
            from pixelwitness.report.terminal import render

            try:
                summary = summarise(ledger, book, run_id)
                text = io.StringIO()
                if target.suffix.lower() in (".html", ".htm"):
                    text.write(render_html(ledger, summary, "pixelwitness.report"))
                else:
                    render(summary, text, everything=True, width=100)
                write_private(target, text.getvalue())
            except OSError as error:
                self._announce(f"pixelwitness.report: {target}: {error.strerror}")
            else:
                self._announce(f"pixelwitness.report: written to {target}")

        recorder.ask(task)
        return f"The report goes to {target}"

    def _recorder(self) -> Recorder:
        recorder = self._session.recorder
        if recorder is None:
            raise exceptions.CommandError("pixelwitness does not record: see the log for why")
        return recorder


def mark_of(recorder: Recorder, text: str, prop: str | None, client: str | None) -> str:
    """Hands an auditor's mark to the recorder; returns what it was understood as."""
    signal = mark_signal(now(), text, client=client, property=prop, book=recorder.settings.lens.book)
    recorder.note(signal)
    return signal.name
