"""What shows an installation to people: the list of its metrics, and the dashboards over them."""
