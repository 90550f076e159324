"""The tools, which are no part of the product: the product never imports them."""
