"""How often a coding loses its blocks: error curves over white noise, and which of their SNRs a fade amounts to."""
