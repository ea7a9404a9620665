"""What a drill reads: Chaos Toolkit probes. They change nothing, and never give a number that rests on nothing."""
