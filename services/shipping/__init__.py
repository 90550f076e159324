"""Shipments and the addresses they go to: one shipment for each order."""
