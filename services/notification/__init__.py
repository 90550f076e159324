"""Notification: tells the customer, once, that the order is confirmed."""
