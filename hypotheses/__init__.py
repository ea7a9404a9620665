"""What we hold to be true: pure functions of measured values."""
