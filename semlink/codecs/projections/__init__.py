"""Codecs for readings of inner products."""
