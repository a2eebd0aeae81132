"""A timestamp authority on loopback: openssl answers, a small server carries it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
"""


def openssl(folder: Path, *args: str) -> bytes:
    return subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True).stdout


def make(folder: Path) -> Path:
    """Keys and certificates of a new authority; returns its root certificate."""
    folder.mkdir()
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "30",
            "-subj", "/CN=Test root", "-config", "/dev/null", "-addext", "basicConstraints=critical,CA:true",
            "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test authority",
            "-config", "/dev/null")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "20",
            "-out", "tsa.pem", "-extfile", "tsa.cnf", "-extensions", "ext")  # fmt: skip
    return folder / "root.pem"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The authority's address, and the bodies that it was asked with."""
    asked: list[bytes] = []

    class Authority(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(query)
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "/")
                self.end_headers()
                return
            if self.path == "/old" and len(asked) > 1:
                query = asked[0]
            (folder / "query.tsq").write_bytes(query)
            answer = openssl(folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "query.tsq")
            answer = {"/cut": answer[:-40], "/text": b"hello", "/large": answer + b"x" * 1_000_000}.get(
                self.path, answer
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    server.shutdown()
    server.server_close()
