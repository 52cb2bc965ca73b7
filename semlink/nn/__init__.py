"""Network layers that sensing and codecs share."""
