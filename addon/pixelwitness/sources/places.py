"""Where a capture is: a file of this machine, or what a URL names, fetched for as long as it is read.

Asked for is only what a URL names, and the marks beside it. Without a URL fsspec is not even imported.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwitness.sources import CaptureError
from pixelwitness.sources.files import ENDINGS, capture_digest

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z][A-Za-z0-9+.-]+)*://")
SECRET = (
    re.compile(r"(?<=//)[^\s?#]*:[^\s?#]*@"),  # user:password@, whatever stands in the password
    re.compile(r"(?<=//)[^\s/?#]*@"),
)
QUERY = re.compile(r"(://[^\s?#]*[?#])\S+")
PIECE = 4 << 20
MAX_MARKS = 4 << 20


@dataclass(frozen=True)
class Url:
    """What fsspec opens: `s3://bucket/a.har`, `https://...`, `zip://a.har::file:///b.zip`. May hold credentials."""

    text: str


type Place = Path | Url


@dataclass(frozen=True)
class Found:
    """What stands at a URL: SHA-256 in hex, and the marks file beside it by its name; or why it cannot be read."""

    digest: str = ""
    marks: tuple[str, bytes] | None = None
    problem: CaptureError | None = None

    def checked(self) -> str:
        """The digest. Raises CaptureError where there is none."""
        if self.problem is not None:
            raise self.problem
        return self.digest


def is_url(text: str) -> bool:
    """Whether an argument is a URL, and no path."""
    return URL.match(text) is not None


def shown(text: str) -> str:
    """A URL, or an error's text with one in it, without user, password, query and fragment."""
    for secret in SECRET:
        text = secret.sub("", text)
    return QUERY.sub(r"\1...", text)


def captures_at(url: str) -> list[Url]:
    """The captures that a URL names: one file; those with the endings of captures below a URL that ends with `/`; those
    that a pattern with `*` matches. Sorted.

    Raises CaptureError where fsspec or its part for such URLs is not installed, and where nothing is found.
    """
    if "::" in url or not (url.endswith("/") or "*" in url):
        _fsspec(url)
        return [Url(url)]
    try:
        fs, path = _fsspec(url).core.url_to_fs(url)
        found = fs.glob(path) if "*" in path else [p for p in fs.find(path) if p.lower().endswith(ENDINGS)]
        named = [str(fs.unstrip_protocol(p)) for p in sorted(map(str, found))]
    except CaptureError:
        raise
    except Exception as error:
        raise _unread(url, error) from error
    if not named:
        raise CaptureError(shown(url), "", "there is no capture", f"Looked for {', '.join(ENDINGS)}")
    return [Url(_with_user(name, url)) for name in named]


def looked(url: Url) -> Found:
    """Reads what a URL names once, for its digest, and looks for marks beside it. Raises nothing."""
    digest = hashlib.sha256()
    try:
        with _fsspec(url.text).open(url.text, "rb") as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
        return Found(digest.hexdigest(), _marks(url.text))
    except CaptureError as error:
        return Found(problem=error)
    except Exception as error:
        return Found(problem=_unread(url.text, error))


@contextmanager
def here(place: Place, digest: str, name: str, folder: str | None = None) -> Iterator[Path]:
    """A capture as a file of this machine: itself, or a private copy in `folder` of what the URL names.

    Raises CaptureError where it cannot be read, or is no longer what it was when it was looked at.
    """
    if isinstance(place, Path):
        if capture_digest(place) != digest:
            raise _changed(name)
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="pixelwitness-", dir=folder) as private:
        copy = Path(private, "capture")
        said = hashlib.sha256()
        try:
            with _fsspec(place.text).open(place.text, "rb") as stream, copy.open("wb") as out:
                while piece := stream.read(PIECE):
                    said.update(piece)
                    out.write(piece)
        except CaptureError:
            raise
        except Exception as error:
            raise _unread(place.text, error) from error
        if said.hexdigest() != digest:
            raise _changed(name)
        yield copy


def _marks(url: str) -> tuple[str, bytes] | None:
    """The marks file beside what a URL names, where there is one. With a query in it a URL has nothing beside it."""
    if "::" in url or "?" in url:
        return None
    fs, path = _fsspec(url).core.url_to_fs(url)
    folder, slash, file = str(path).rpartition("/")
    for name in (f"{file}.marks.yaml", f"{Path(file).stem}.marks.yaml"):
        with suppress(PermissionError):  # what S3 says of what is not there to those who may not list
            if fs.exists(f"{folder}{slash}{name}"):
                with fs.open(f"{folder}{slash}{name}", "rb") as stream:
                    return name, bytes(stream.read(MAX_MARKS))
    return None


def _changed(name: str) -> CaptureError:
    return CaptureError(name, "", "is not what it was when this run began", "Replay it when nobody writes to it")


def _with_user(name: str, url: str) -> str:
    """A name that a listing gave, under the user and password that stood in the URL."""
    user = re.match(r"[^/]*//([^/?#]*@)", url)
    return name if user is None or "@" in name else name.replace("://", f"://{user[1]}", 1)


def _fsspec(url: str) -> Any:
    try:
        import fsspec
        import fsspec.core
    except ImportError as error:
        what, remedy = "is a URL, and fsspec is not installed", "Install it: pip install 'pixelwitness[dask]'"
        raise CaptureError(shown(url), "", what, remedy) from error
    return fsspec


def _unread(url: str, error: Exception) -> CaptureError:
    """Whatever a file system of fsspec raised, in one line that holds no credentials."""
    said = shown(" ".join(str(error).replace(url, shown(url)).split()))[:160]
    remedy = "Check the URL, and who may read it"
    if isinstance(error, ImportError):
        remedy = "Such URLs need a package more"
    return CaptureError(shown(url), "", f"cannot be read ({type(error).__name__}: {said})", remedy)
