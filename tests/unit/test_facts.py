"""Facts of a host, read from the kernel's files of several architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.model import Facts
from bench.run import facts, preflight

CORE = """\
processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd
CPU implementer\t: {implementer}
CPU architecture: 8
CPU variant\t: {variant}
CPU part\t: {part}
CPU revision\t: {revision}

"""
BIG = CORE.format(number=0, implementer="0x41", variant="0x4", part="0xd0b", revision=0)
LITTLE = CORE.format(number=1, implementer="0x41", variant="0x1", part="0xd05", revision=0)
X86 = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu vme{more}\n"


def _sys(folder: Path, **dmi: str) -> Path:
    (folder / "class/dmi/id").mkdir(parents=True)
    for name, text in dmi.items():
        (folder / "class/dmi/id" / name).write_text(f"{text}\n", encoding="utf-8")
    return folder


def test_arm_processor_is_identified_by_its_numbers() -> None:
    found = facts.processor(BIG)
    assert found == {
        "cpu.model": "implementer 0x41 part 0xd0b variant 0x4 revision 0",
        "cpu.implementer": "0x41",
        "cpu.part": "0xd0b",
        "cpu.variant": "0x4",
        "cpu.revision": "0",
    }
    assert facts.processor(BIG + LITTLE)["cpu.part"] == "0xd0b 0xd05"


@pytest.mark.parametrize("field", ["implementer", "part", "variant", "revision"])
def test_arm_processors_that_differ_in_one_number_have_different_fingerprints(field: str) -> None:
    numbers = {"implementer": "0x41", "variant": "0x4", "part": "0xd0b", "revision": "0"}
    prints = {
        facts.fingerprint(Facts(facts.processor(CORE.format(number=0, **values)), facts.EPOCH))
        for values in (numbers, {**numbers, field: "0x7"})
    }
    assert len(prints) == 2


def test_x86_processor_has_its_model_and_no_numbers() -> None:
    found = facts.processor(X86.format(more=""))
    assert {key: value for key, value in found.items() if value} == {"cpu.model": "Some CPU @ 3 GHz"}


def test_processors_of_other_architectures_have_a_model() -> None:
    assert (
        facts.processor("processor\t: 0\ncpu\t\t: POWER9, altivec\nrevision\t: 2.3\n")["cpu.model"] == "POWER9, altivec"
    )
    assert facts.processor("hart\t: 1\nuarch\t: sifive,u74-mc\n")["cpu.model"] == "sifive,u74-mc"
    assert facts.processor("mvendorid\t: 0x489\nmarchid\t: 0x7\n")["cpu.model"] == "mvendorid 0x489 marchid 0x7"


@pytest.mark.parametrize(
    ("cpuinfo", "dmi", "found"),
    [
        (X86.format(more=" hypervisor"), {"sys_vendor": "A Cloud"}, "A Cloud"),
        (X86.format(more=" hypervisor"), {}, "present"),
        (X86.format(more=""), {"sys_vendor": "Dell Inc."}, "none"),
        (X86.format(more=""), {"sys_vendor": "Amazon EC2", "product_name": "m5.metal"}, "none"),
        (X86.format(more=""), {"sys_vendor": "Amazon EC2", "product_name": "m5.large"}, "unknown"),
        (X86.format(more=""), {"sys_vendor": "QEMU"}, "QEMU"),
        (BIG, {"sys_vendor": "Amazon EC2"}, "unknown"),
        (BIG, {"sys_vendor": "QEMU", "product_name": "KVM Virtual Machine"}, "QEMU"),
        (BIG, {"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "Microsoft Corporation"),
        (BIG, {}, "unknown"),
        ("", {}, "unknown"),
    ],
)
def test_hypervisor_is_named_or_unknown_and_none_only_where_the_processor_says_so(
    cpuinfo: str, dmi: dict[str, str], found: str, tmp_path: Path
) -> None:
    assert facts.hypervisor(cpuinfo, _sys(tmp_path / "sys", **dmi), tmp_path / "tree") == found


def test_hypervisor_of_the_device_tree_is_named(tmp_path: Path) -> None:
    (tmp_path / "tree/hypervisor").mkdir(parents=True)
    (tmp_path / "tree/hypervisor/compatible").write_bytes(b"linux,kvm\0")
    assert facts.hypervisor(BIG, _sys(tmp_path / "sys"), tmp_path / "tree") == "linux,kvm"


@pytest.mark.parametrize("known", [{"hypervisor": "unknown"}, {}])
def test_unknown_hypervisor_is_not_reported_as_bare_metal(known: dict[str, str]) -> None:
    verdict = preflight._virtual(known)
    assert not verdict.ok
    assert verdict.says == "unknown whether there is a hypervisor"


def test_file_system_of_a_mount_point_with_a_blank_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    table = "/dev/a / ext4 rw 0 0\n/dev/b /srv/Jane\\040Doe xfs rw,noatime 0 0\n"
    monkeypatch.setattr(facts, "_read", lambda _: table)
    assert facts.filesystem_of(Path("/srv/Jane Doe/state")) == "xfs rw,noatime"
    assert facts.filesystem_of(Path("/srv/Jane")) == "ext4 rw"
