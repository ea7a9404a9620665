"""The embedded lab: the reference platform as real processes on loopback. Nothing outside this package knows of it."""
