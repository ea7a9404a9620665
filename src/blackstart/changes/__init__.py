"""The one way to change the world: the gate, the undo log behind it, the reverter, and one module per change kind.

``gate.inject`` applies changes, ``undo.undo`` puts them back; ``reverter`` and ``recover`` do so when a drill is gone.
"""
