"""Bytes to channel symbols and back: transport blocks, channel codes, HARQ, MCS."""
