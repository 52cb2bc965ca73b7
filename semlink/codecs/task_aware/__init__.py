"""Compression of a sensor's readings for the sake of the reconstructed frames."""
