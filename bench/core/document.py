"""A YAML file with the line number of each key, so that errors can name ``file:line``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bench.core.errors import ScenarioError, UsageError, unknown

ModelT = TypeVar("ModelT", bound=BaseModel)
Input = TypeVar("Input")
Output = TypeVar("Output")
KeyPath = Sequence[str | int]
"""Keys and list indices from the top of a document to a value."""


class Document:
    """A parsed YAML file.

    Attributes:
        path: The file's path.
        text: The file's bytes.
        data: The parsed content.

    Raises:
        ScenarioError: The file cannot be read, is not YAML, is empty or has a duplicate key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_bytes()
            self._node = yaml.compose(self.text.decode(), yaml.SafeLoader)
            self.data = yaml.safe_load(self.text)
        except OSError as error:
            raise ScenarioError(str(path), None, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ScenarioError(str(path), None, f"is not UTF-8 text (byte {error.start})") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "not readable as YAML"
            raise ScenarioError(str(path), mark.line + 1 if mark else None, f"YAML syntax: {problem}") from error
        if self.data is None:
            msg = "the file is empty; a scenario has name, measure, title, targets, baseline and primary (see 'tare schema')"
            raise ScenarioError(str(path), 1, msg)
        self._refuse_duplicates(self._node)

    def validate(self, model: type[ModelT]) -> ModelT:
        """Return the content as an instance of ``model``.

        Raises:
            ScenarioError: The content does not match; the first error, with its line.
        """
        if not isinstance(self.data, dict):
            raise self.error((), f"expected 'key: value' lines at the top, found a {type(self.data).__name__}")
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            first = error.errors()[0]
            raise self.error(first["loc"], _explain(first, model)) from None

    def checked(self, at: KeyPath, check: Callable[[Input], Output], value: Input) -> Output:
        """Return ``check(value)``; its UsageError becomes a ScenarioError with the line of ``at``."""
        try:
            return check(value)
        except ScenarioError:
            raise
        except UsageError as error:
            raise self.error(at, str(error)) from None

    def error(self, at: KeyPath, message: str) -> ScenarioError:
        """Return an error with the line of ``at``; the caller raises it."""
        return ScenarioError(str(self.path), self._line(at), message)

    def _line(self, at: KeyPath) -> int:
        """Return the line of ``at``, or of its longest prefix that the file has."""
        node, line = self._node, 1
        for step in at:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == step), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def _refuse_duplicates(self, node: yaml.Node | None) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in seen:
                    msg = f"the key '{key.value}' stands here again (first in line {seen[key.value]}); keep one"
                    raise ScenarioError(str(self.path), line, msg)
                seen[str(key.value)] = line
                self._refuse_duplicates(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_duplicates(item)


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a sentence on a validation error: the key, the allowed values and the nearest spelling."""
    name = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        return unknown("key", str(error["loc"][-1]), _keys(model, error["loc"]))
    if error["type"] == "missing":
        return f"the key '{name}' is missing; {_describe(model, error['loc'])}"
    return f"'{name}': {error['msg'][0].lower()}{error['msg'][1:]}, found {_short(error['input'])}"


def _keys(model: type[BaseModel], at: KeyPath) -> list[str]:
    """Return the keys that are allowed at ``at``: at the top, or in a suite's entries."""
    if len(at) > 1 and (field := model.model_fields.get(str(at[0]))) is not None:
        for argument in getattr(field.annotation, "__args__", ()):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                return list(argument.model_fields)
    return list(model.model_fields)


def _describe(model: type[BaseModel], at: KeyPath) -> str:
    field = model.model_fields.get(str(at[0]))
    return field.description if field is not None and field.description else "it has no default"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
