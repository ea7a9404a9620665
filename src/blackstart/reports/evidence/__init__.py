"""What drills show to somebody who asks for proof: one archive, and which controls of a framework it supports.

`shown` (what a drill shows), `mapping` (which controls that supports) and `words` are pure; `gather` reads journals,
`sign_offs` the files that people wrote, `archive` writes and verifies the archive; `command` puts them together.
"""
