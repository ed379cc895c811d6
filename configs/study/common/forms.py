"""The forms that every study has."""

FORMS = ("full", "short")


def check_form(form: str) -> None:
    """Raises ValueError if there is no such form."""
    if form not in FORMS:
        raise ValueError(f"form: {form!r} is unknown; choose one of {', '.join(FORMS)}")
