"""Prometheus metrics of all processes of one installation: counted in each, told by whichever is asked."""
