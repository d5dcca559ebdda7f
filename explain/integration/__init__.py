"""Gradients along the straight line from a baseline to an image: baselines, noise, quadrature rules, path integrals."""
