"""Virtual machines under libvirt and QEMU."""
