"""Readings as analogue symbols, with learned rate allocation."""
