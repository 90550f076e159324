"""Payment: charges an order once, refunds it once, through a payment provider."""
