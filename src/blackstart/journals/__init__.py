"""What one drill leaves on disk: its folder, the numbers measured from it, and the verdict.

Reading and writing happen in `folder`, `measure` and `close`; everything between is pure.
"""
