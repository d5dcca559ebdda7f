"""Pictures of labelled images: contact sheets, charts and pages that open offline."""
