"""Generators of video from latent codes, and fitting codes to readings."""
