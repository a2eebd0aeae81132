"""The command line: a file a command, loaded when it is called, so that help comes at once."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module

import click

from pixelwitness.cli.common import FAULT
from pixelwitness.report.harmless import visible

COMMANDS = {
    "addon-path": "The path to give to `mitmdump -s`.",
    "compare": "What is new, gone and unchanged from one ledger to another.",
    "explain": "The whole story of one violation or hit.",
    "explore": "Look around in a ledger with Datasette.",
    "consent": "Say what a cookie header, a cookie, a URL or a consent string says.",
    "decode": "Explain one request: a body, a URL, a raw request, a cURL command.",
    "export-evidence": "One violation as a zip file that a third party can check.",
    "mark": 'Note what you do: "fresh profile", "nothing clicked", "clicked reject".',
    "proxy": "Audit live: mitmproxy with the add-on.",
    "redact": "A copy of a ledger for sharing, which still verifies.",
    "rejudge": "Judge a ledger again, from its observations alone.",
    "replay": "Audit saved captures: flow files and HAR.",
    "report": "The summary of a run again, from the ledger alone.",
    "rules": "List the rules, show one, or check a folder of your own.",
    "timeline": "Draw a session: pages, consent, sends, verdicts.",
    "timestamp": "Have an authority sign a run's chain head (RFC 3161).",
    "verify": "Check that a ledger is what was recorded.",
}
"""Name and help line. The command `a-b` is the function `a_b` of the module `a_b`."""


class Commands(click.Group):
    """A group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a name, or None."""
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"pixelwitness.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show a traceback for a fault of the program.")
@click.version_option(package_name="pixelwitness")
def cli(debug: bool) -> None:
    """Privacy audits of the TikTok Pixel: what was sent, what the visitor had consented to, and the evidence."""


def _catch_endings(ended: list[int]) -> None:
    """Ctrl-C, SIGTERM and SIGHUP end a command alike: the transaction at hand is undone, the file closed.

    Only the first counts. What the caller ignores (nohup) stays ignored; mitmproxy has handlers of its own.
    """

    def end(number: int, frame: object) -> None:
        for one in caught:
            signal.signal(one, signal.SIG_IGN)
        ended.append(number)
        raise KeyboardInterrupt

    named = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    caught = [one for one in named if signal.getsignal(one) is not signal.SIG_IGN]
    for one in caught:
        signal.signal(one, end)


def main() -> None:
    """The entry point: turns every fault into one line and its exit code."""
    os.umask(0o077)
    ended: list[int] = []
    _catch_endings(ended)
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("pixelwitness: interrupted; what was read so far is in the ledger", err=True)
        sys.exit(128 + (ended[0] if ended else signal.SIGINT))
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        what = " ".join(str(error).split())[:200]
        click.echo(
            f"pixelwitness: a fault of the program ({type(error).__name__}: {visible(what)}). "
            "Please report it; --debug before the command shows where.",
            err=True,
        )
        sys.exit(FAULT)
