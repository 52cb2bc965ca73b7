"""Puts the blocks together: scenarios, the chain, sweeps, results."""
