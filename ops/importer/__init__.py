"""`make import`: a running installation's configuration becomes a stack file."""
