"""Codecs that are programs of their own, started from the command line."""
