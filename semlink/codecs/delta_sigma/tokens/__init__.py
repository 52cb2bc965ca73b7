"""The delta-sigma codec on tokens: one for each block of pixels over a group of frames."""
