"""Log and snapshot formats, recovery decisions. Bytes in, bytes out; the driver does the I/O.

Reading order: `errors`, `log` (format and scan), `writer` (what to write and when to sync),
`snapshot`, `recovery`.
"""
