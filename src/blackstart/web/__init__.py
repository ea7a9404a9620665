"""The local web view of a journal folder: history, reports, and a running drill live. Reads; changes nothing."""
