"""What is measured, one module for each figure of the result file; each gives its rows."""

from __future__ import annotations

from bench.figures import cold, concurrency, delay, gateway, guards, length, memory, per_event
from bench.run import Figure

# In the order in which they are measured. CPU per event comes last: a quick run measures it as often as there is time.
FIGURES: dict[str, Figure] = {
    "idle": memory.measure_idle,
    "length": length.measure,
    "concurrency": concurrency.measure,
    "delay": delay.measure,
    "cold": cold.measure,
    "peak": memory.measure_peak,
    "gateway": gateway.measure,
    "guards": guards.measure,
    "per_event": per_event.measure,
}
