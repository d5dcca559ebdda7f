"""Measurements of the whole product on the machine at hand. Ratios are taken within one run; nothing is asserted."""
