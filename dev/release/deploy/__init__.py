"""Bringing OrderSaga to a cluster: images, the files made from the chart, and what the deploy scripts do.

Standard library only: the scripts run with any Python 3.11, before anything is installed.
"""
