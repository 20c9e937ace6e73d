"""The command line: thin over the library. `main` is the entry point; nothing else here is public."""
