"""One migration a file, named by its version."""
