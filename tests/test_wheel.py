"""The wheel holds the rules and the demo captures, and runs the main job from an empty environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import ROOT


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv builds the wheel, and is not on the path")
def test_the_main_job_from_a_wheel(tmp_path: Path) -> None:
    subprocess.run(["uv", "build", "-q", "--wheel", "-o", str(tmp_path), str(ROOT)], check=True, timeout=300)
    wheel = next(tmp_path.glob("*.whl"))
    where = tmp_path / "empty"
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(where)], check=True, timeout=120)
    python = where / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), str(wheel)], check=True, timeout=300)
    code = "import pixelwitness, pathlib; print(pathlib.Path(pixelwitness.__file__).parent / 'captures' / 'onetrust-reject.har')"
    capture = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout.strip()
    assert str(where) in capture
    done = subprocess.run([python.parent / "pixelwitness", "replay", capture, "--db", str(tmp_path / "a.db")],
                          capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "fired-after-denial" in done.stdout
    path = subprocess.run(
        [python.parent / "pixelwitness", "addon-path"], capture_output=True, text=True, check=True
    ).stdout
    assert Path(path.strip()).is_file()
