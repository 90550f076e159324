"""The warehouse: products, their stock, and what orders have reserved of it.

`store` holds both nouns in one file: every change of a reservation moves stock in the same transaction.
"""
