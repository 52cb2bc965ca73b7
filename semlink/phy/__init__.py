"""Symbols to symbols and bits to symbols: modulation, coding, channels, estimation."""
