"""Block compressed sensing: the same patterns over every block, and reconstruction from such readings."""
