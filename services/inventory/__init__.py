"""The warehouse: products, their stock, and what orders have reserved of it.

Every change of a reservation (`store`) moves stock (`products`) in the same transaction.
"""
