# The second half of the guest's start, by the host's own programs: what an init system would mount, then Tare.
# /tare/x is the folder that the guest shares with the host; /tare/x/env says where things are (bench/run/inside/machine.py).
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
# What the host's kernel may lack; all else is loaded when something asks for it.
for module in loop dm-thin-pool btrfs; do modprobe "$module"; done
mkdir -p "$TARE_STATE"
cp -a "$STATE/payload" "$TARE_STATE/" # compiling it again would take longer than all the rest

echo "tare: set up after $(cut -d ' ' -f 1 /proc/uptime) s"

cd /tare
"$PYTHON" -m bench.run.inside.guest /tare/x
sync
echo o >/proc/sysrq-trigger
while :; do :; done # without devices nothing else can be started any more, and the first process must not end
