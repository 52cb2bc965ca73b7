"""Schemes against a reference: BD figures and paired differences."""
