"""The code that Emaki's rules share. A rule's script is thin; what it calls is here."""
