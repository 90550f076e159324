"""The warehouse: products, their stock, and what orders have reserved of it."""
