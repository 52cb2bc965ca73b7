"""Hot loops as machine code."""
