"""What goes wrong with settings. Every message says where the value stands, what it is and what was expected."""


class SettingsError(ValueError):
    """A settings source cannot be used. The text is one or more complete sentences for the operator."""
