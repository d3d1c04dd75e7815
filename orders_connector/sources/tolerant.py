"""Types of answers that never refuse one: the raw bytes stay the truth.

Unknown keys are kept, and a value of an unforeseen kind is kept as it was sent. The type of a field
is what a documentation promises, not what was checked. An absent key differs from null: see
``model_fields_set``; ``model_dump(exclude_unset=True)`` gives back what came in.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializeAsAny,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

__all__ = ["AnyList", "AnyObject", "Flag", "Lenient", "Text", "Tolerant", "Whole"]

T = TypeVar("T")


def _keep_as_sent(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
    try:
        return handler(value)
    except ValidationError:
        return value


# SerializeAsAny: an unforeseen kind of value is written back without a warning.
Lenient = Annotated[SerializeAsAny[T], WrapValidator(_keep_as_sent)]
Text = Lenient[Annotated[str, Strict()] | None]
Whole = Lenient[Annotated[int, Strict()] | None]
Flag = Lenient[Annotated[bool, Strict()] | None]
AnyObject = Lenient[dict[str, Any] | None]
AnyList = Lenient[list[Any] | None]


class Tolerant(BaseModel):
    """Base of an object in an answer."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())
