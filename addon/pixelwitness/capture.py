"""One capture as the records to write: a pure function of its bytes, the rules and the options, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from pixelwitness.exchange import Exchange
from pixelwitness.identity.people import NOBODY, People
from pixelwitness.ingest import reads_response
from pixelwitness.ledger.parts import MAX_BODY, Record, Storing
from pixelwitness.observations import BlindSpot
from pixelwitness.rulebook import Rulebook
from pixelwitness.run import Lens, Scope, Tally, now, request_record, response_record, spot_record, storing
from pixelwitness.sources import CaptureError, ReadNote
from pixelwitness.sources.files import in_client, read_capture
from pixelwitness.sources.places import Place, here

BATCH = 200


@dataclass(frozen=True)
class Capture:
    """A file or a URL, the name to show, and its SHA-256."""

    place: Place
    name: str
    digest: str


@dataclass(frozen=True)
class Intake:
    """How captures are read and stored. `client` names whoever the captures' requests came from."""

    run_id: str
    client: str | None = None
    separate: bool = False
    scope: Scope = field(default_factory=Scope)
    keep_plaintext: bool = False
    people: People = NOBODY
    max_body: int = MAX_BODY

    def storing(self, book: Rulebook) -> Storing:
        """What may be stored."""
        return storing(book, keep_plaintext=self.keep_plaintext, max_body=self.max_body, people=self.people)


def finished_key(capture: Capture, run_id: str) -> str:
    """The id of the traffic counts, which are written last: with them all of a capture is in the ledger."""
    return f"traffic.{capture.digest[:32]}.{run_id}"


def damage_key(capture: Capture) -> str:
    """The id of the blind spot of a capture that was not read to its end."""
    return f"note.{capture.digest[:24]}.capture_damaged."


def batches(
    capture: Capture, intake: Intake, book: Rulebook, problem: Callable[[str], None], folder: str | None = None
) -> Iterator[tuple[Sequence[Record], int]]:  # fmt: skip
    """The records of a capture in batches, each with the number of exchanges that were read so far.

    A capture that is damaged is read up to the damage, which is told to `problem` in one line. What a URL names is
    kept in `folder` meanwhile.
    """
    tally = Tally()
    lens = Lens(book, intake.scope, intake.people)
    batch: list[Record] = []
    read = 0
    client = intake.client or (f"capture:{capture.name}" if intake.separate else "capture")
    renamed = client if intake.client or intake.separate else None
    try:
        for item in _until_damage(capture, client, book, problem, folder):
            if isinstance(item, ReadNote):
                batch.append(_note(item, capture, client))
            else:
                read += 1
                exchange = in_client(item, renamed)
                made = (
                    request_record(exchange, lens, tally, capture.name),
                    response_record(exchange, lens, capture.name),
                )
                batch += [record for record in made if record is not None]
            if len(batch) >= BATCH:
                yield batch, read
                batch = []
    except Exception as error:
        # Whatever one capture does to this program, the others are read.
        what = f"a fault of the program after {read} exchanges ({type(error).__name__}: {str(error)[:120]})"
        problem(f"{capture.name}: {what}. Please report it; everything before was read")
        batch.append(_note(ReadNote("capture_damaged", what), capture, client))
    batch.append(tally.record(finished_key(capture, intake.run_id), now()))
    yield batch, read


def _until_damage(
    capture: Capture, client: str, book: Rulebook, problem: Callable[[str], None], folder: str | None
) -> Iterator[Exchange | ReadNote]:  # fmt: skip
    wanted = partial(reads_response, book=book)
    try:
        with here(capture.place, capture.digest, capture.name, folder) as path:
            yield from read_capture(path, client=client, name=capture.name, wanted=wanted)
    except CaptureError as error:
        problem(str(error))
        yield ReadNote("capture_damaged", str(error)[:300])


def _note(note: ReadNote, capture: Capture, client: str) -> Record:
    detail = f"{capture.name}: {note.position + ': ' if note.position else ''}{note.detail}"
    if note.kind == "odd_entry":
        detail = f"{capture.name}: {note.detail}"
    spot = BlindSpot(client=client, kind=note.kind, detail=detail[:300], at=note.at)
    key = f"note.{capture.digest[:24]}.{note.kind}.{note.position}"
    return spot_record(spot, key, note.at or now())
