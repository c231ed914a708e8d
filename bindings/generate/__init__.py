"""Writes the bindings' declarations from the header, so that they need no comparing with it."""
