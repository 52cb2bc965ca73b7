"""Reconstruction on tokens: a linear estimate of every block of pixels, corrected by a trunk over the blocks."""
