"""5G LDPC: base graphs, encoder, decoders."""
