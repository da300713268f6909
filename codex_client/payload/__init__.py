"""Payload builders: a prompt as the JSON body of each API. Pure."""
