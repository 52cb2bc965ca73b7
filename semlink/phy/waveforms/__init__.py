"""Pilots, OFDM, channel estimation and equalisers."""
