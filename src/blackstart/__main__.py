"""``python -m blackstart``: the command line."""

from blackstart.cli import main

main()
