"""Plays the client, from a process of its own, and keeps what it saw.

The middle is pure: `schedule`, `analysis`, `recovery`, `steps` and `ledger.check` take values and return values.
The rim touches the world: `client`, `resolver`, `dialer`, `watch`, `readback`, `process`.
Times are seconds since the drill's origin (a monotonic moment, in ``drill.json`` and ``observer.json``) unless said.
"""
