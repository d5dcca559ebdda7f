"""What people read about a run: charts, one page that opens offline, and the card of its model."""
