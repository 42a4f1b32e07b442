"""Base images, the registry's log, bytes on a disk: the parts that need no engine."""

from __future__ import annotations

import io
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench import benchmarks
from bench.benchmarks.image_build import measure as image_build
from bench.benchmarks.pull import measure as pull
from bench.benchmarks.size import measure as size
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.docker import build
from bench.engines.docker.pull import check as check_pull
from bench.invocation import disk_use
from bench.invocation.context import InvocationContext
from bench.invocation.disk_use import Taken
from bench.lab import bases, images, registry
from bench.lab.images import Image
from bench.lab.registry import Registry

LOG = Path(__file__).parents[1] / "data/registry/pull.jsonl"
LAYERS = (
    "sha256:e8968c7dd5d75f2f3ea52d7dd28dbcc16f151403d6bfa224c68a07b849b3b08c",
    "sha256:a6c372a2938b9e90bcd4d84bb2a52bd17a3c6d6d26f441cb7479bcd553ff45b4",
)


def members(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {info.name: info for info in archive}


CONFIG = "sha256:d4b2ab0b47b8205cbca16547bb4c1677dc0e5f109ca1ca8e3630b3dfcd4b7e99"


def pulled(*layers: str) -> Image:
    return Image(Path("none"), "sha256:0", b"{}", layers, layers)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a recorded log of a pull, with the digest of the image's configuration in these tests."""
    path = tmp_path / "log"
    path.write_text(LOG.read_text().replace(CONFIG, f"sha256:{images.sha256(b'{}')}"))
    return path


def test_every_base_of_the_scenario_is_known() -> None:
    assert set(bases.NAMES) == set(benchmarks.get("size").params["base"].allowed)


def test_busyboxs_layer_is_one_program_and_links() -> None:
    found = members(bases.busybox_layer(b"program", ["sh", "ls", "busybox", "sh"]))
    assert found["bin/busybox"].size == 7
    assert found["bin/busybox"].mode == 0o755
    assert {name for name, info in found.items() if info.issym()} == {"bin/sh", "bin/ls"}
    assert found["bin/sh"].linkname == "busybox"
    assert found["tmp"].mode == 0o1777


def test_a_base_that_was_not_provisioned_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for name in ("debian", "compiler"):
        with pytest.raises(NotApplicable, match=rf"{name}\.tar\.gz.*run 'tare provision base_images' as root"):
            bases.base(tmp_path, name)


def test_engine_without_builder_is_named_before_a_missing_base(tmp_path: Path) -> None:
    engine = SimpleNamespace(target=SimpleNamespace(engine="cri"))
    context = SimpleNamespace(
        engine=engine,
        params={"recipe": "cached", "primes": 1},
        lab=SimpleNamespace(paths=SimpleNamespace(state=tmp_path)),
    )
    with pytest.raises(NotApplicable, match="'cri' builds no images"):
        image_build.measure(cast("InvocationContext", context))


def test_a_base_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases/debian.tar.gz.digests").write_text("only-one\n")
    (tmp_path / "bases/debian.tar.gz").write_bytes(b"")
    with pytest.raises(NotApplicable, match="is missing or incomplete"):
        bases.base(tmp_path, "debian")


def test_nothing_is_a_base_too(state: Path) -> None:
    assert bases.base(state, "scratch").layers == ()
    found = bases.with_payload(state, "scratch")
    assert found.layers != images.image(state).layers  # an engine has that one already, and would store nothing
    assert len(found.layers) == 1
    assert bases.with_payload(state, "scratch") == found


def test_a_packed_layer_is_taken_as_it_is(state: Path, tmp_path: Path) -> None:
    plain = bases.tar([bases.file("a", b"content")])
    packed = images.pack(plain, tmp_path / "layer")
    assert images.layered(state, "tare/same:latest", [packed]) == images.layered(state, "tare/same:latest", [plain])
    assert packed.diff_id == f"sha256:{images.sha256(plain)}"


def test_siblings_share_their_base_and_nothing_else(state: Path, tmp_path: Path) -> None:
    plain = bases.tar([bases.file("etc/debian_version", b"12\n")])
    (tmp_path / "bases").mkdir()
    packed = images.pack(plain, tmp_path / "bases/debian.tar.gz")
    digests = f"{packed.diff_id.removeprefix('sha256:')}\n{packed.digest}\n"
    (tmp_path / "bases/debian.tar.gz.digests").write_text(digests)
    (tmp_path / "payload").symlink_to(state / "payload")
    one, other = bases.with_payload(tmp_path, "debian"), bases.sibling(tmp_path, "debian")
    assert one.layers[0] == other.layers[0] == f"sha256:{packed.digest}"
    assert len({*one.layers, *other.layers}) == 3
    assert bases.alone(tmp_path, "debian").layers == one.layers[:1]
    assert size.packed_bytes(bases.alone(tmp_path, "debian")) == packed.path.stat().st_size


@pytest.mark.parametrize(("layers", "count"), [(1, 1000), (3, 1000), (10, 4096)])
def test_a_pulled_image_has_its_bytes_in_so_many_layers(state: Path, layers: int, count: int) -> None:
    image = pull.image_of(state, layers, count)
    assert len(set(image.layers)) == layers
    assert images.image(state).layers[0] not in image.layers
    with tarfile.open(image.archive) as archive:
        found: dict[str, int] = {}
        for digest in image.layers:
            blob = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert blob is not None
            with tarfile.open(fileobj=blob, mode="r:gz") as layer:
                found |= {info.name: info.size for info in layer if info.name.startswith("filler-")}
    assert len(found) == layers
    assert sum(found.values()) == count
    assert max(found.values()) - min(found.values()) <= 1


def test_the_registrys_log_tells_what_was_served(log: Path) -> None:
    found = registry.served(Registry(0, log), 0, pulled(*LAYERS))
    assert found.blobs >= set(LAYERS)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    written = [
        line["http.response.written"]
        for line in lines
        if line["http.request.method"] == "GET" and line["http.request.uri"] != "/v2/"
    ]
    assert found.count == sum(written) > 10**6


def test_a_layer_that_was_there_before_fails_the_pull(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_LOGGED_S", 0.0)
    with pytest.raises(
        InvocationFailed, match=r"1 of 3 layers were not fetched because the engine had them: sha256:feed"
    ):
        registry.served(Registry(0, log), 0, pulled(*LAYERS, "sha256:feed"))


@pytest.mark.parametrize("late", ["/manifests/sha256:", "/blobs/"])
def test_a_response_that_the_registry_logs_late_is_counted(late: str, log: Path) -> None:
    whole = registry.served(Registry(0, log), 0, pulled(*LAYERS))
    lines = log.read_text().splitlines(keepends=True)
    gets = [line for line in lines if late in line and '"GET"' in line]
    delayed = [line for line in gets if not any(layer in line for layer in LAYERS)]
    log.write_text("".join(line for line in lines if line not in delayed))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(registry.served, Registry(0, log), 0, pulled(*LAYERS))
        with log.open("a") as file:
            file.writelines(delayed)
        assert delayed
        assert found.result() == whole


def test_a_torn_line_of_the_log_is_left_out(log: Path) -> None:
    log.write_text(log.read_text() + 'time="now" level=info\n[1]\n{"http.request.uri": "/v2/x/blo')
    assert registry.served(Registry(0, log), 0, pulled(*LAYERS)).blobs >= set(LAYERS)


def test_the_registry_listens_on_loopback_only(tmp_path: Path) -> None:
    given = json.loads(registry.configuration(tmp_path))
    assert given["http"]["addr"] == "127.0.0.1:5000"
    assert given["storage"]["filesystem"]["rootdirectory"] == str(tmp_path)


def test_a_listener_is_found_by_its_port() -> None:
    import socket  # noqa: PLC0415 - for this test only

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert registry.listens(os.getpid(), port)
    assert not registry.listens(os.getpid(), port)
    assert not registry.listens(2**22 + 1, port)


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("network net:[4026532544] lo\n", "none"),
        ("network net:[4026532545] eth0 lo\n", "bridge"),
        ("network net:[1] docker0 lo\n", "host"),
        ("network net:[1] lo\n", "host"),
    ],
)
def test_a_step_tells_its_network_by_its_namespace(said: str, mode: str) -> None:
    step = "Step 2/2 : RUN echo network $(readlink /proc/self/ns/net) $(ls /sys/class/net)\n"
    assert build.network_of(step + said, "net:[1]") == mode


def test_a_step_that_does_not_tell_its_network_fails() -> None:
    with pytest.raises(InvocationFailed, match="which network it has, it said: Step 2/2"):
        build.network_of("Step 2/2\n", "net:[1]")


def test_podman_needs_to_be_told_to_give_a_step_a_namespace() -> None:
    assert build.network_options("Docker", "none") == {"networkmode": "none"}
    for mode, policy in (("none", "1"), ("bridge", "2"), ("host", "0")):
        given = build.network_options("Podman", mode)
        assert given["networkmode"] == policy
        assert json.loads(given["nsoptions"]) == [{"Name": "network", "Host": mode == "host", "Path": ""}]


def test_a_pull_that_fails_says_why() -> None:
    check_pull([{"status": "Pulling"}, {"status": "Done"}])
    with pytest.raises(InvocationFailed, match="the pull failed: no such host"):
        check_pull([{"status": "Pulling"}, {"error": "no such\nhost"}])


def test_what_is_new_on_a_disk_is_told_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x" * 10_000)
    before = Taken(disk_use.files(tmp_path))
    (tmp_path / "old").write_bytes(b"x" * 90_000)  # a database that grows is the engine's own
    (tmp_path / "new").mkdir()
    (tmp_path / "new/file").write_bytes(b"y" * 20_000)
    (tmp_path / "new/again").hardlink_to(tmp_path / "new/file")
    with (tmp_path / "new/hole").open("wb") as file:
        file.truncate(10**9)
    after = Taken(disk_use.files(tmp_path))
    wanted = sum((tmp_path / name).stat().st_blocks * 512 for name in ("new", "new/file", "new/hole"))
    assert after.more_than(before) == wanted
    assert wanted < 10**6
    assert before.more_than(after) == 0
    assert disk_use.on_disk([tmp_path / "new"]) == wanted


def test_where_files_share_blocks_the_totals_count() -> None:
    assert Taken({}, 5000).more_than(Taken({}, 3000)) == 2000


def test_compression_is_that_of_layers(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(bytes(10**6) + os.urandom(10**5))
    packed = images.pack(tmp_path / "plain", tmp_path / "packed")
    assert disk_use.compressed(tmp_path / "plain") == packed.path.stat().st_size
