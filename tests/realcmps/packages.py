"""The consent systems' packages: installed once from npm into a folder that pytest keeps, never into this project."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
WEB = HERE / "web"


class NotToBeHad(Exception):
    """There is no Node, or the packages could not be installed."""


def installed(folder: Path) -> Path:
    """The folder of the packages, installed if need be. Raises NotToBeHad."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotToBeHad("no Node and npm on the path, which bring the consent systems' packages")
    wanted = (HERE / "package.json").read_bytes()
    done = folder / hashlib.sha256(wanted).hexdigest()[:16]
    if not done.exists():
        (folder / "package.json").write_bytes(wanted)
        install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
        got = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
        if got.returncode != 0:
            raise NotToBeHad(f"npm install failed: {got.stderr[-300:]}")
        done.touch()
    return folder / "node_modules"


def bundled(modules: Path, name: str) -> str:
    """A module of `web/` with what it imports from the packages, as one script."""
    command = [str(shutil.which("node")), str(modules / "esbuild/bin/esbuild"), "--bundle", "--format=iife"]
    command.append('--define:process.env.NODE_ENV="production"')
    source = (WEB / name).read_text(encoding="utf-8")
    made = subprocess.run(
        command, cwd=modules.parent, input=source.encode(), capture_output=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr.decode()[-2000:]
    return made.stdout.decode()
