"""What is shipped: written from the chart, judged, deployed, tried on a cluster."""
