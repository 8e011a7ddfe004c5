"""Plain values into a model, or a ConfigError of one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from config.errors import ConfigError
from config.explain import explain, line

Model = TypeVar("Model", bound=BaseModel)


def checked(
    model: type[Model], data: Mapping[str, Any], *, where: str, base: Path | None = None
) -> Model:
    """``data`` as a ``model``; relative paths count from ``base``.

    Raises:
        ConfigError: something in it is not allowed.
    """
    try:
        return model.model_validate(data, context={"base": (base or Path()).absolute()})
    except ValidationError as error:
        message = line(where, explain(error, model))
    # Raised out here so that pydantic's own error, which holds the values, is not chained to it.
    raise ConfigError(message)
