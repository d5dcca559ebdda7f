"""Protocol-neutral verbs: which deployment gets a request, scoring it, and copying it to shadows."""
