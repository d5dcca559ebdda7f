"""The routes of HTTP processes: scoring, the hosted endpoint's others, probes, administration."""
