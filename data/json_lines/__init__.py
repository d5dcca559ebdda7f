"""Lines of JSON as the hosted service writes and reads them: one object an image. JSONL and MLTable share them."""
