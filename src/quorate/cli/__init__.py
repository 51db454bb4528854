"""The command line. `main` lists the commands; each lies in a module of its own, loaded when asked."""
