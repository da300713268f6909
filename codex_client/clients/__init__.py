"""The clients: payload, transport and decoder wired together."""
