"""The benchmark: this library and its peers read the same streams from a server on loopback, in one run.

`python -m bench` measures and writes one JSON file; `make bench` gives it its environments.
"""
