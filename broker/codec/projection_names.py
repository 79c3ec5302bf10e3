"""Names of the parts of a view; they follow the paths of the event, so that they never change."""


def container_name(path: str) -> str:
    """
    Name a container by where it stands.

    >>> container_name("legal_status.place_of_safety")
    'Body_LegalStatus_PlaceOfSafety'
    """
    parts = (part.split("_") for part in path.split("."))
    return "_".join(["Body", *("".join(map(_capital, words)) for words in parts)])


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def name_part(name: str) -> str:
    """Turn the id of a party or a purpose into a part of a namespace."""
    part = name.replace("-", "_")
    return part if part[:1].isalpha() else f"_{part}"
