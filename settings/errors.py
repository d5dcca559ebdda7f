"""The errors about settings. Each message says where the value stands, what it is and what was expected."""


class SettingsError(ValueError):
    """A source of settings cannot be used. The text is whole sentences for the operator."""
