"""Semantic transmission by tokens: analogue symbols of groups of blocks, and the allocation of symbols to them."""
