"""The command line. `main` lists the commands; each has a module of its own, loaded when called."""
