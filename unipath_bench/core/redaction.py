"""Keeping passwords and tokens out of records, messages and logs.

Arguments and addresses are recorded, so that a run can be repeated. A secret therefore never is an argument or part of
an address: it lies in an environment variable, and the argument is that variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from unipath_bench.core.errors import UsageError

HIDDEN = "[hidden]"

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:api_?key|auth|authorization|credentials?|pass(?:wd|word|phrase)?|secret(?:_?key)?|token|pwd)$"
)
_SECRET_QUERY = re.compile(
    r"(?:^|[_-])(?:access_?key|api_?key|auth|code|credentials?|key|pass(?:wd|word)?|secret|sig|signature|token)$"
)
_USER_PART = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
_IN_ENVIRONMENT = "Put it into an environment variable and give the variable's name, for example headers_env=NAME."


def refuse_secrets(arguments: Mapping[str, Any], source: str) -> None:
    """Refuse arguments that look like secrets, before they are recorded.

    Raises :class:`~unipath_bench.UsageError` where an argument is a secret by its name, or an address in one
    carries a user name or a password. ``source`` is what the message calls the arguments; no value is quoted.
    """
    for name, value in arguments.items():
        if isinstance(value, str) and value and _SECRET_NAME.search(name.lower()):
            raise UsageError(f"{source} {name}: arguments are recorded, and this looks like a secret.", _IN_ENVIRONMENT)
        for text in _texts(value):
            if _USER_PART.search(text):
                raise UsageError(
                    f"{source} {name}: arguments are recorded, and this address carries a user name or password.",
                    _IN_ENVIRONMENT,
                )


def is_secret_query(name: str) -> bool:
    """Whether an address's query parameter of this name usually holds a secret."""
    return _SECRET_QUERY.search(name.lower()) is not None


def without_credentials(text: str) -> str:
    """``text`` with the user names and passwords of the addresses in it hidden."""
    return _USER_PART.sub(f"{HIDDEN}@", text)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every occurrence of these secrets hidden, the longest first; empty ones are left alone."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def without_secrets_inside(value: Any, secrets: Collection[str]) -> Any:
    """A JSON value with these secrets hidden in every string of it, keys included."""
    if isinstance(value, str):
        return without_secrets(value, secrets)
    if isinstance(value, dict):
        return {without_secrets(key, secrets): without_secrets_inside(v, secrets) for key, v in value.items()}
    if isinstance(value, list):
        return [without_secrets_inside(inner, secrets) for inner in value]
    return value


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
