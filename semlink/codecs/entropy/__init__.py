"""Lossless coding of symbols with known probabilities."""
