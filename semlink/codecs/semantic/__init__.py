"""Networks that turn readings into analogue symbols, and the allocation of symbols to patches."""
