"""Source codec, transport blocks, channel code and QAM."""
