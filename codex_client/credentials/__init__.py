"""Many accounts: what each has left (`quota`), which one serves next, and who knows of it.

Quota is pure. A snapshot comes from response headers, an event, a refusal or the usage endpoint; the book keeps the
newest of each account and limit, and says what it means now.
"""
