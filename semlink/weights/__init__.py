"""Shipped weights, each `name.safetensors` with its model card `name.json`, and how to read them."""
