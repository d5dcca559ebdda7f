"""Describes the API: schemas for the interactive page, and Swagger as the hosted endpoint serves it."""
