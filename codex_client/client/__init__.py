"""Transport: requests out, bytes and frames in. Knows no JSON shape."""
