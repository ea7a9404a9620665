"""The report as PDF, printed by a browser that is already there: Chromium, Chrome or Edge, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from blackstart.errors import NotPrinted

VARIABLE = "BLACKSTART_BROWSER"
NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
    "microsoft-edge-stable", "msedge", "brave-browser",
)  # fmt: skip
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
SECONDS = 90.0
INSTALL = (
    "install one (Debian, Ubuntu: apt install chromium; macOS: brew install --cask chromium), "
    f"or name its program in {VARIABLE}; report.html can also be printed from any browser"
)


def write(page: Path, target: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Print the HTML file ``page`` to ``target``. NotPrinted if there is no browser, or if it did not do it."""
    program = browser(environ)
    with tempfile.TemporaryDirectory(prefix="blackstart-print-") as profile:
        printed = Path(profile) / "report.pdf"
        try:
            done = subprocess.run(
                _command(program, Path(profile), page, printed),
                capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotPrinted(str(target), f"{program} did not print it ({error})", INSTALL) from error
        if done.returncode or not printed.is_file() or not printed.stat().st_size:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise NotPrinted(str(target), f"{program} did not print it ({said})", INSTALL)
        try:
            shutil.copyfile(printed, target)
        except OSError as error:
            raise NotPrinted(str(target), str(error), "name another place with --output") from error


def browser(environ: Mapping[str, str]) -> str:
    """The program that prints; NotPrinted, with what to install, if there is none."""
    named = environ.get(VARIABLE, "")
    if named:
        return named
    found = (shutil.which(name, path=environ.get("PATH")) for name in NAMES)
    installed = (place for place in PLACES if Path(place).is_file())
    program = next((place for place in (*found, *installed) if place), "")
    if not program:
        raise NotPrinted("report.pdf", "no Chromium, Chrome or Edge was found on this machine", INSTALL)
    return program


def _command(program: str, profile: Path, page: Path, printed: Path) -> list[str]:
    quiet = (
        "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--no-pdf-header-footer",
    )  # fmt: skip
    # A browser that root starts has no sandbox to use; the page may run nothing but its own script in any case.
    rights = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    return [
        program, *quiet, *rights, f"--user-data-dir={profile / 'profile'}", f"--print-to-pdf={printed}",
        page.resolve().as_uri(),
    ]  # fmt: skip
