"""How good a received clip is, and how sure that is."""
