"""A YAML file with the line number of each key, so that errors can name ``file:line``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


_MOST_BYTES = 2**20
_MOST_VALUES = 100_000
"""Values after all aliases are replaced by what they stand for."""
_DEEPEST = 50


_Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
_FAST: _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, ten times as fast as PyYAML's own, whose messages are clearer."""


class Document:
    """A parsed YAML file.

    Attributes:
        path: The file's path.
        text: The file's bytes.
        data: The parsed content.

    Raises:
        ScenarioError: The file cannot be read, is too large, is not YAML, is empty, is nested too deeply or contains itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = self._bytes()
            text = self.text.decode()
            loader, self._node = self._composed(text)
            self._check_aliases()
            self.data = yaml.load(text, loader)  # noqa: S506 - both loaders make plain values only
        except OSError as error:
            raise ScenarioError(str(path), None, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ScenarioError(str(path), None, f"is not UTF-8 text (byte {error.start})") from error
        except yaml.YAMLError as error:
            raise self._syntax(error) from error
        except ValueError as error:  # a date or a number that YAML's pattern allows and Python does not
            raise ScenarioError(str(path), None, f"a value cannot be read: {error}") from error
        if self.data is None:
            msg = (
                "the file is empty; a scenario has name, measure, title, targets and baseline (see 'tare schema'), "
                "a claims file has title, sources and claims (see 'tare schema claims')"
            )
            raise ScenarioError(str(path), 1, msg)
        self._repeated = list(self._duplicates(self._node))

    def _bytes(self) -> bytes:
        with self.path.open("rb") as file:
            found = file.read(_MOST_BYTES + 1)
        if len(found) > _MOST_BYTES:
            msg = f"the file is larger than {_MOST_BYTES // 2**20} MiB; a scenario or a suite has a few dozen lines"
            raise ScenarioError(str(self.path), None, msg)
        return found

    def _syntax(self, error: yaml.YAMLError) -> ScenarioError:
        mark = getattr(error, "problem_mark", None)
        parts = (getattr(error, "context", None), getattr(error, "problem", None) or getattr(error, "reason", None))
        problem = ", ".join(filter(None, parts)) if "anchor" in str(parts[0]) else parts[1]
        return ScenarioError(
            str(self.path), mark.line + 1 if mark else None, f"YAML syntax: {problem or 'not readable as YAML'}"
        )

    def _composed(self, text: str) -> tuple[_Loader, yaml.Node | None]:
        """Return the loader that reads the text, and its nodes."""
        try:
            self._check_nesting(text, _FAST)
            return _FAST, yaml.compose(text, _FAST)
        except yaml.YAMLError:
            self._check_nesting(text, yaml.SafeLoader)
            return yaml.SafeLoader, yaml.compose(text, yaml.SafeLoader)

    def _check_nesting(self, text: str, loader: _Loader) -> None:
        """Refuse deep nesting before anything recursive sees it; PyYAML's parser does not recurse, its composer does."""
        depth = 0
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                msg = f"more than {_DEEPEST} levels of lists or mappings; a scenario has three"
                line = event.start_mark.line + 1 if event.start_mark else None
                raise ScenarioError(str(self.path), line, msg)

    def _check_aliases(self) -> None:
        """Refuse a value that contains itself, and aliases that stand for more values than could be meant."""
        sizes: dict[int, tuple[int, int]] = {}
        unfinished: set[int] = set()

        def measure(node: yaml.Node) -> tuple[int, int]:
            """Return how many values a node has and how many levels."""
            if id(node) in unfinished:
                raise ScenarioError(
                    str(self.path), node.start_mark.line + 1, "a value contains itself through an alias"
                )
            if id(node) not in sizes:
                unfinished.add(id(node))
                inner = [measure(child) for child in _children(node)]
                unfinished.discard(id(node))
                sizes[id(node)] = 1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)
            if sizes[id(node)][0] > _MOST_VALUES or sizes[id(node)][1] > _DEEPEST + 1:
                msg = "aliases expand to too many values or levels; write the values out"
                raise ScenarioError(str(self.path), node.start_mark.line + 1, msg)
            return sizes[id(node)]

        if self._node is not None:
            measure(self._node)

    def mistakes(self, model: type[BaseModel]) -> list[ScenarioError]:
        """Return the keys that are there twice and what does not match ``model``, one error for each value that is wrong."""
        if not isinstance(self.data, dict):
            return [self.error((), f"expected 'key: value' lines at the top, found a {type(self.data).__name__}")]
        try:
            model.model_validate(self.data)
        except ValidationError as error:
            found: dict[KeyPath, ErrorDetails] = {}
            for one in error.errors():
                found.setdefault(self._place(one), one)
            return [*self._repeated, *(self.error(one["loc"], _explain(one, model)) for one in found.values())]
        return self._repeated

    def validate(self, model: type[ModelT]) -> ModelT:
        """Return the content as an instance of ``model``.

        Raises:
            ScenarioError: The content does not match; all mistakes, each with its line.
        """
        if found := self.mistakes(model):
            raise ScenarioError.joined(found)
        return model.model_validate(self.data)

    def _place(self, error: ErrorDetails) -> KeyPath:
        """Return the path of the value that an error is about, without the names of types that pydantic tried."""
        value = self.data
        place: list[str | int] = []
        for step in error["loc"]:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return (*place, step) if error["type"] == "missing" else tuple(place)
            place.append(step)
        return tuple(place)

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

    def _duplicates(self, node: yaml.Node | None) -> Iterator[ScenarioError]:
        """Yield an error for each key that a mapping has twice."""
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, _ in node.value:
                line, name = key.start_mark.line + 1, str(key.value)
                if name in seen:
                    msg = f"the key '{name}' is repeated (first in line {seen[name]}); keep one"
                    yield ScenarioError(str(self.path), line, msg)
                seen.setdefault(name, line)
        for child in _children(node):
            yield from self._duplicates(child)


def _children(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return a sentence on a validation error: the key, the allowed values and the nearest spelling."""
    name = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        return unknown("key", str(error["loc"][-1]), _keys(model, error["loc"]))
    if error["type"] == "missing":
        return f"the key '{name}' is missing; {_describe(model, error['loc'])}"
    return f"'{name}': {error['msg'][0].lower()}{error['msg'][1:]}, found {_short(error['input'])}"


def _keys(model: type[BaseModel], at: KeyPath) -> list[str]:
    """Return the keys that are allowed at ``at``: at the top, or in the entries of a list or mapping."""
    return list(_model_at(model, at[:-1]).model_fields)


def _describe(model: type[BaseModel], at: KeyPath) -> str:
    field = _model_at(model, at[:-1]).model_fields.get(str(at[-1]))
    return field.description if field is not None and field.description else "it has no default"


def _model_at(model: type[BaseModel], at: KeyPath) -> type[BaseModel]:
    """Return the model of the mapping at ``at``; the names of types that pydantic tried lead nowhere."""
    for step in at:
        field = model.model_fields.get(str(step))
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names: itself, or the items of a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
