"""Guards: what a server calls a good answer, and is none. Pure: events in, events or an error out.

A guard is fed the events of one attempt, batch by batch, and gives those that may go on, in the same order. What it
cannot judge yet it holds back; what is bad it raises, and then nothing that it holds goes out any more.
"""
