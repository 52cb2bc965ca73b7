"""Photographs as clips of one frame."""
