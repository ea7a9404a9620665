"""Whether the tests may ask the cluster in KUBECONFIG."""

from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent


def alone(paths: Sequence[str]) -> bool:
    """Whether ``paths``, as they were given to pytest, are all of this folder: somebody asked for this suite only."""
    given = [Path(path.split("::")[0]).resolve() for path in paths]
    return bool(given) and all(HERE in (path, *path.parents) for path in given)
