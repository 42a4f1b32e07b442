"""Guests: how the payload gets into a disk, the kernel's command line, and the trial of KVM."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.engines.libvirt import guests
from bench.lab import Lab, images

MKE2FS = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin:/bin")
pytestmark = pytest.mark.skipif(MKE2FS is None or platform.machine() != "x86_64", reason="needs mke2fs on x86-64")


def debugfs(disk: Path, request: str) -> str:
    program = proc.find("debugfs", "install e2fsprogs")
    return proc.run([program, "-R", request, str(disk)], timeout_s=30).stdout


def check(disk: Path) -> int:
    return proc.run([proc.find("e2fsck", "install e2fsprogs"), "-fn", str(disk)], timeout_s=30).status


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "usr/local/bin").mkdir(parents=True)
    (tree / "usr/local/bin/tare-payload").write_bytes(b"an older one, longer than what comes" * 400)
    path = tmp_path / "disk.ext4"
    assert MKE2FS is not None
    proc.run([MKE2FS, "-q", "-t", "ext4", "-d", str(tree), str(path), "16M"], timeout_s=30).check()
    return path


@pytest.fixture
def provisioned(built_state: Path, disk: Path) -> Iterator[Path]:
    folder = built_state / "guest"
    for name in ("kernel", "full"):
        (folder / name).mkdir(parents=True)
        (folder / name / "vmlinuz").write_bytes(b"kernel")
    (folder / "full/initrd.img").write_bytes(b"initrd")
    shutil.copy(disk, folder / "full/base.ext4")
    yield built_state
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["/usr/local/bin/tare-payload", "/etc/systemd/system/x.service.d/y.conf", "/top"])
def test_injected_file_has_its_mode_and_owner(disk: Path, name: str) -> None:
    content = bytes(range(256)) * 300
    guests.inject(disk, name, content, 0o755)
    stat = debugfs(disk, f"stat {name}")
    assert "Type: regular" in stat
    assert "Mode:  0755" in stat
    assert "User:     0   Group:     0" in stat
    assert f"Size: {len(content)}" in stat
    assert check(disk) == 0


def test_second_injection_replaces_the_first(disk: Path, tmp_path: Path) -> None:
    for content in (b"first, a longer one", b"second"):
        guests.inject(disk, "/etc/x", content, 0o644)
    debugfs(disk, f"dump /etc/x {tmp_path / 'copy'}")
    assert (tmp_path / "copy").read_bytes() == b"second"
    assert check(disk) == 0


def test_injection_into_a_full_or_invalid_disk_is_refused(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match=r"'/big' could not be written into disk\.ext4"):
        guests.inject(disk, "/big", b"not a hole" * 2**21, 0o644)
    broken = tmp_path / "broken"
    broken.write_bytes(bytes(4096))
    with pytest.raises(TargetUnavailable, match=r"into broken: .*guest_images"):
        guests.inject(broken, "/x", b"x", 0o644)


def test_full_guest_disk_has_the_payload_and_leaves_its_base_unchanged(provisioned: Path, tmp_path: Path) -> None:
    base = provisioned / "guest/full/base.ext4"
    stale = provisioned / "guest/full/0123456789abcdef.raw"
    before = base.read_bytes()
    stale.touch()
    guest = guests.full(provisioned)
    assert base.read_bytes() == before
    assert guest.disk is not None
    assert not stale.exists()
    debugfs(guest.disk, f"dump /usr/local/bin/tare-payload {tmp_path / 'copy'}")
    assert (tmp_path / "copy").read_bytes() == images.payload(provisioned).path.read_bytes()
    assert "$TARE_ARGUMENTS" in debugfs(guest.disk, "cat /etc/systemd/system/tare-payload.service.d/arguments.conf")
    written = guest.disk.stat().st_mtime_ns
    assert guests.full(provisioned) == guest
    assert guest.disk.stat().st_mtime_ns == written
    assert {path.name for path in base.parent.iterdir()} == {"vmlinuz", "initrd.img", "base.ext4", guest.disk.name}


def test_failed_disk_gets_no_final_name(provisioned: Path) -> None:
    (provisioned / "guest/full/base.ext4").write_bytes(bytes(4096))
    with pytest.raises(TargetUnavailable):
        guests.full(provisioned)
    assert not [
        path for path in (provisioned / "guest/full").iterdir() if path.name.startswith(".") or path.suffix == ".raw"
    ]


def test_minimal_guest_boots_the_payload(provisioned: Path) -> None:
    guest = guests.minimal(provisioned)
    assert guest.disk is None
    assert guest.digests["payload"] == images.payload(provisioned).digest
    assert guest.command(["--work", "3", "--exit"]).endswith(
        " rdinit=/tare-payload -- --events tty:/dev/ttyS1 --work 3 --exit"
    )


def kernel_of(path: Path, version: bytes) -> Path:
    """Write a kernel's first part: the header's magic, and where it says what the kernel calls itself."""
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x800).to_bytes(2, "little")
    head[0xA00 : 0xA00 + len(version)] = version
    path.write_bytes(head)
    return path


def test_minimal_guest_boots_a_given_kernel(provisioned: Path, tmp_path: Path) -> None:
    path = kernel_of(tmp_path / "vmlinuz", b"6.12.1-mine (me@here) #1 SMP\0rest")
    assert guests.release(path) == "6.12.1-mine"
    usual, given = guests.minimal(provisioned), guests.minimal(provisioned, path)
    assert (given.kernel, given.digests["kernel"]) == (path, images.sha256(path.read_bytes()))
    assert (given.initrd, given.cmdline) == (usual.initrd, usual.cmdline)
    assert usual.digests["kernel"] != given.digests["kernel"]


@pytest.mark.parametrize("content", [b"", b"text", bytes(0x1000), b"\x7fELF" + bytes(0x1000)])
def test_file_that_is_not_a_bzimage_is_refused(provisioned: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    with pytest.raises(TargetUnavailable, match=r"vmlinux' is not a Linux kernel .*bzImage"):
        guests.minimal(provisioned, path)


def test_full_guest_gets_payload_arguments_by_its_command_line(provisioned: Path) -> None:
    command = guests.full(provisioned).command(["--touch", "4096", "--sleep"])
    assert command.endswith(' systemd.setenv="TARE_ARGUMENTS=--touch 4096 --sleep"')


@pytest.mark.parametrize("argument", ["", "two words", 'a"quote', "$HOME", "back\\slash", "line\nend"])
def test_payload_argument_with_a_special_character_is_refused(provisioned: Path, argument: str) -> None:
    with pytest.raises(InvocationFailed, match="cannot carry the payload argument"):
        guests.minimal(provisioned).command(["--name", argument])


def test_too_many_payload_arguments_are_refused(provisioned: Path) -> None:
    guest = guests.minimal(provisioned)
    assert guest.command(["--look"] * 29).count("--look") == 29
    with pytest.raises(InvocationFailed, match="passes fewer than 32 arguments to its first process, 32 were given"):
        guest.command(["--look"] * 30)
    assert guests.full(provisioned).command(["--look"] * 30).count("--look") == 30


def members(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read archives of the kernel's format that follow each other: name → mode and content, the first that is met."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        begin = (at + 110 + name_size + 3) // 4 * 4
        found.setdefault(name, (mode, archive[begin : begin + size]))
        at = (begin + size + 3) // 4 * 4
    return found


def folder_of(path: Path) -> Path:
    (path / "bin").mkdir(parents=True)
    (path / "bin/program").write_bytes(b"a program")
    (path / "bin/program").chmod(0o755)
    (path / "empty").touch(mode=0o644)
    return path


def test_folder_is_appended_to_the_unchanged_initramfs(provisioned: Path, tmp_path: Path) -> None:
    guest = guests.minimal(provisioned)
    folder = folder_of(tmp_path / "f")
    given = guests.with_folders(guest, {"tools": folder}, 256 * 2**20)
    whole, plain = given.initrd.read_bytes(), guest.initrd.read_bytes()
    assert whole.startswith(plain)
    added = members(whole[len(plain) :])
    assert added["tools/bin/program"] == (0o100755, b"a program")
    assert added["tools/empty"] == (0o100644, b"")
    assert added["tools/bin"][0] == 0o040755
    assert members(whole)["tare-payload"][1] == images.payload(provisioned).path.read_bytes()
    assert given.digests["initrd"] == images.sha256(whole) != guest.digests["initrd"]
    assert given.digests["payload"] == guest.digests["payload"]
    assert guests.with_folders(guest, {"tools": folder}, 256 * 2**20) == given


def test_only_the_latest_archive_with_folders_is_kept(provisioned: Path, tmp_path: Path) -> None:
    guest = guests.minimal(provisioned)
    folder = folder_of(tmp_path / "f")
    first = guests.with_folders(guest, {"tools": folder}, 256 * 2**20)
    (folder / "bin/program").write_bytes(b"another")
    second = guests.with_folders(guest, {"tools": folder}, 256 * 2**20)
    assert second.initrd.is_file()
    assert not first.initrd.exists()
    assert guest.initrd.is_file()


def test_guest_that_cannot_take_a_folder_is_not_applicable(provisioned: Path, tmp_path: Path) -> None:
    guest, folder = guests.minimal(provisioned), folder_of(tmp_path / "f")
    assert guests.with_folders(guest, {}, 1) is guest
    with pytest.raises(
        NotApplicable, match=r"the full guest .* takes no folder of the host \(tools\); use guest=minimal"
    ):
        guests.with_folders(guests.full(provisioned), {"tools": folder}, 256 * 2**20)
    with pytest.raises(
        NotApplicable, match="a machine of 67108864 bytes cannot unpack the folders tools; give it memory_bytes="
    ):
        guests.with_folders(guest, {"tools": folder}, 64 * 2**20)


def test_unprovisioned_guest_is_unavailable_with_a_remedy(built_state: Path) -> None:
    for make in (guests.minimal, guests.full):
        with pytest.raises(TargetUnavailable) as caught:
            make(built_state)
        assert "is missing" in caught.value.reason
        assert caught.value.remedy == "run 'tare provision guest_images' as root"


def test_host_of_another_architecture_is_unavailable(provisioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(TargetUnavailable, match="this host is aarch64"):
        guests.minimal(provisioned)


QEMUS = {
    "ready": ("""exec python3 - "$socket" <<'E'\nimport socket, sys, time\ns = socket.socket(socket.AF_UNIX)\n"""
              """s.connect(sys.argv[1])\ns.sendall(b"F\\nR\\n")\ntime.sleep(60)\nE\n"""),
    "aborts": "echo 'noise' >&2; echo 'failed to set MSR 0x10a' >&2; kill -ABRT $$\n",
    "hangs": "exec sleep 60\n",
}  # fmt: skip
VERDICTS = {
    "ready": ("kvm", "a trial guest got ready"),
    "aborts": ("tcg", "kvm: a trial boot ended with signal SIGABRT: failed to set MSR 0x10a"),
    "hangs": ("tcg", "kvm: a trial boot did not get ready within 0.5 s"),
}


@pytest.mark.parametrize("kind", QEMUS)
def test_accelerator_is_decided_by_a_trial_boot(
    provisioned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    qemu = tmp_path / "qemu"
    find_socket = 'for word; do case $word in socket,*) socket=${word##*path=};; esac; done\necho >>"$0.calls"\n'
    qemu.write_text("#!/bin/sh\n" + find_socket + QEMUS[kind], encoding="ascii")
    qemu.chmod(0o755)
    monkeypatch.setattr(guests, "qemu", lambda: str(qemu))
    monkeypatch.setattr("os.access", lambda *_: True)
    monkeypatch.setattr(guests, "_TRIAL_S", 10 if kind == "ready" else 0.5)
    lab = Lab("0a0b0c0d", state=provisioned)
    lab.paths.make()
    verdict = guests.accelerator(lab)
    assert (verdict.name, verdict.why) == VERDICTS[kind]
    assert guests.accelerator(lab) is verdict
    assert (tmp_path / "qemu.calls").read_text(encoding="ascii") == "\n"  # tried once
    shutil.rmtree(lab.paths.run)


def test_trial_boot_is_skipped_without_a_usable_dev_kvm(provisioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "qemu", lambda: "/nonexistent")
    monkeypatch.setattr("os.access", lambda *_: False)
    verdict = guests.accelerator(Lab("0a0b0c0d", state=provisioned))
    assert verdict.name == "tcg"
    assert verdict.why.startswith("/dev/kvm ")
