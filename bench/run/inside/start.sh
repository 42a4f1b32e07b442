# The second half of the guest's start, run with the host's own programs: mount what an init system would mount, then run Tare.
# /tare/x is the folder that guest and host share; /tare/x/env holds names and paths (bench/run/inside/machine.py).
. /tare/x/env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
export TARE_STATE=/tare/state TARE_PATIENCE="$PATIENCE" PYTHONPATH="$PACKAGE" PYTHONDONTWRITEBYTECODE=1
exec </dev/null >/dev/console 2>&1
echo "tare: in the host's tree after $(cut -d ' ' -f 1 /proc/uptime) s"

mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
hostname "$NAME"
ip link set lo up
mkdir -p "/lib/modules/$KERNEL"
mount --bind "$MODULES" "/lib/modules/$KERNEL"
# Modules that the host's kernel may lack; the kernel loads all others on demand.
for module in loop dm-thin-pool btrfs; do modprobe "$module"; done
# Programs of zfs and their libraries, as links; what the host has of them stays. The module is loaded when it is needed.
if [ -n "$ZFS" ]; then cp -sRn "$ZFS/." /; fi
mkdir -p "$TARE_STATE"
cp -a "$STATE/payload" "$TARE_STATE/" # compiling it again would take longer than everything else

echo "tare: set up after $(cut -d ' ' -f 1 /proc/uptime) s"

cd /tare
"$PYTHON" -m bench.run.inside.guest /tare/x
sync
echo o >/proc/sysrq-trigger
while :; do :; done # no program can be started any more, and PID 1 must not exit
