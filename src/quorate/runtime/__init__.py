"""The only sockets, files, clocks, threads and processes."""
