"""The trace of one saga: from what is known of it, live or recorded, to its spans. Pure.

Every id follows from the resource's uid, so whoever knows the record makes the same spans, at any time and any number
of times: the operator at the saga's end, its successor after a crash, and `ordersaga trace` from the archive.
"""
