"""The project on this machine: stack files, the embedded state, and how a problem of theirs is fixed."""
