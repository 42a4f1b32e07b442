"""gRPC without generated code: messages from a table, one persistent connection, errors as sentences.

A table holds field names, numbers and types of an API that its makers promise not to change. Nothing is generated, so
nothing goes stale with a newer protobuf. Messages carry names of our own: names do not travel over the wire, and so
nothing clashes with other bindings in the same process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.core import kernelfiles
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout

Message = Any
"""An instance of a class that is made at import: nothing for a type checker to know."""
Types = Mapping[str, type[Message]]
"""Message name → class."""
Calls = Mapping[str, tuple[str, str, str]]
"""Name of a call → its path, its request and its response."""

_CLOSE_S = 1.0
"""How long gRPC's threads may take to end, seconds; the longest time seen was 4 ms."""

# One connection in its own right (by default gRPC shares it among channels), without looking for a proxy first.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


class NotFoundError(InvocationFailed):
    """The object does not exist."""


class AlreadyExistsError(InvocationFailed):
    """The object exists already."""


class UnimplementedError(InvocationFailed):
    """The server, or this release of it, does not know the call."""


_CODES: dict[grpc.StatusCode, type[InvocationFailed]] = {
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
}


def classes(package: str, messages: Mapping[str, str]) -> Types:
    """Return a class for each message of a table.

    The table is message → fields as ``name:number[:type]``; the type is string unless given, ``[]`` is a list, ``map``
    is string to string.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            field, number, kind = (*text.split(":"), "string")[:3]
            _add_field(package, message, field, int(number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _add_field(package: str, message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    proto = descriptor_pb2.FieldDescriptorProto
    repeated = kind.endswith("[]") or kind == "map"
    label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind == "map":  # a list of key-value messages, marked as a map
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(package, entry, "key", 1, "string")
        _add_field(package, entry, "value", 2, "string")
        kind = f"{message.name}.{entry.name}"
    kind = kind.removesuffix("[]")
    if kind[0].isupper():
        field.type, field.type_name = proto.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = proto.Type.Value(f"TYPE_{kind.upper()}")


class Connection:
    """A persistent connection to one server; any number of threads may call at a time.

    Attributes:
        who: How messages name the server.
    """

    _open: ClassVar[int] = 0
    _threads: ClassVar[set[int]] = set()  # those that were there before the first connection

    def __init__(
        self,
        who: str,
        socket: Path | str,
        types: Types,
        calls: Calls,
        *,
        metadata: Sequence[tuple[str, str]] = (),
        dead: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Connect with the first call; ``dead`` returns which daemons have ended: the reason when a call gets no answer."""
        self.who = who
        self._dead = dead
        self._requests = {name: types[request] for name, (_, request, _) in calls.items()}
        self._metadata = tuple(metadata)
        Connection._threads = Connection._threads if Connection._open else _tasks()
        Connection._open += 1
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        self._calls = {
            name: self._channel.unary_unary(
                path,
                request_serializer=types[request].SerializeToString,
                response_deserializer=types[response].FromString,
            )
            for name, (path, request, response) in calls.items()
        }

    def call(self, name: str, timeout_s: float, /, **fields: Any) -> Message:
        """Make a call with the request's fields and return the response.

        Raises:
            NotFoundError: There is no such thing.
            AlreadyExistsError: There is one already.
            UnimplementedError: The server knows no such call.
            InvocationTimeout: No answer in time.
            InvocationFailed: Anything else, as a sentence.
        """
        request = self._requests[name](**fields)
        return self.guarded(
            name, timeout_s, lambda: self._calls[name](request, timeout=timeout_s, metadata=self._metadata)
        )

    def begin(self, name: str, timeout_s: float, /, **fields: Any) -> Callable[[float], Message]:
        """Send a request now; the result, called with a time limit in seconds, waits for the response."""
        request = self._requests[name](**fields)
        future = self._calls[name].future(request, timeout=timeout_s, metadata=self._metadata)
        return lambda limit_s: self.guarded(name, limit_s, lambda: future.result(timeout=limit_s))

    def close(self) -> None:
        """Close the connection; closing the last one waits for gRPC's own threads, which end a little later.

        While they live, the thread that they come from cannot change its mount namespace: they share its folder.
        """
        self._channel.close()
        Connection._open -= 1
        end = now_s() + _CLOSE_S
        while not Connection._open and _tasks() - Connection._threads and now_s() < end:
            sleep_s(0.001)

    def guarded(self, name: str, timeout_s: float, action: Callable[[], Message]) -> Message:
        """Call a function that uses the channel, and turn its errors into sentences."""
        try:
            return action()
        except grpc.FutureTimeoutError:
            failed: InvocationFailed = InvocationTimeout(f"{self.who}'s {name} did not answer within {timeout_s:g} s")
        except grpc.RpcError as error:
            failed = self._translated(name, error, timeout_s)
        # Raised here and not above: an exception that kept gRPC's would keep its call and with it gRPC's threads alive.
        raise failed

    def _translated(self, name: str, error: Any, timeout_s: float) -> InvocationFailed:
        """Return the exception for a ``grpc.RpcError`` (which is also a ``grpc.Call``, but not by its types)."""
        if ends := "; ".join(self._dead().values()):
            return InvocationFailed(f"{self.who}'s {name} failed because a daemon died: {ends}")
        code, said = error.code(), " ".join((error.details() or "it said nothing").split())
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return InvocationTimeout(f"{self.who}'s {name} did not answer within {timeout_s:g} s")
        return _CODES.get(code, InvocationFailed)(f"{self.who}'s {name} failed ({code.name}): {said[:500]}")


def _tasks() -> set[int]:
    """Return the threads of this process that Python does not know."""
    every = set(kernelfiles.numbers(kernelfiles.PROC / "self/task"))
    return every - {thread.native_id for thread in threading.enumerate() if thread.native_id}
