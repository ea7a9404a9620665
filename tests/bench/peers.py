"""The peers as released, in virtual environments of their own: once without Blackstart, once with it."""

import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINNED = ("chaostoolkit", "aws-az-failure-chaostoolkit==0.1.10", "chaostoolkit-kubernetes==0.39.0", "kubernetes<37")


def without() -> Path:
    """The Python of the peers alone; installed at the first call."""
    return _python("without", PINNED)


def beside() -> Path:
    """The Python of the same peers with Blackstart beside them, as its users have it: the core, no lab."""
    return _python("beside", (*PINNED, str(ROOT)))


REPORTING = ("chaostoolkit", "chaostoolkit-reporting==0.18.0", "pypandoc_binary==1.17", "setuptools<81")


def reporting() -> Path:
    """The Python of Chaos Toolkit with what makes its reports, pandoc included."""
    return _python("reporting", REPORTING)


def _python(name: str, packages: tuple[str, ...]) -> Path:
    home = ROOT / "build" / "bench" / name
    found = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists() or ready.read_text() != repr(packages):
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        ready.write_text(repr(packages))
    return found
