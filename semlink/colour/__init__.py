"""How colour stands in frames, and how it is converted: one file each for the layout of planes, matrices and 4:2:0."""
