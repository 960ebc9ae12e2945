"""Plain tables of the outside world: what the consumers of a value know, whatever this machine knows."""
