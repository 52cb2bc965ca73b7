"""Symbols in, what the antenna picked up out."""
