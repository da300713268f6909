"""Decoders: the frames of each API as events. Pure."""
