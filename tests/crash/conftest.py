"""Lets the tests here, and the scripts that they start, share modules."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
