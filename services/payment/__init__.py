"""Payments: an order is charged once and refunded once, through a payment provider."""
