"""Who is told of an order beside its participants: other systems by events, the customer of an undone order. What isn't
configured isn't imported.
"""
