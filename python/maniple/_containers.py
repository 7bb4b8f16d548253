"""Values within lists, dictionaries and other containers."""


def replace(value, kind, replacement):
    """The value with each instance of a kind replaced, within lists, tuples, sets and dictionaries."""
    if isinstance(value, kind):
        return replacement(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(replace(item, kind, replacement) for item in value)
    if type(value) is dict:
        return {name: replace(item, kind, replacement) for name, item in value.items()}
    return value
