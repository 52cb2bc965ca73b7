"""Readings of inner products, reconstructed at the receiver."""
