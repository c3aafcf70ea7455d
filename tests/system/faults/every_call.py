#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every system call of a start made to fail in turn, and of other commands; and the launcher killed at any moment.

    every_call.py VIAL FAULT [WORD...]   with WORDs, only the cases with such a name

Runs in a sandbox (tests/system/sandbox.sh --network). For each case (a kind of container) and each process of a start (the
launcher, the maker of the network namespace where there is one, the one that sets up the inside and becomes PID 1, the service
before its exec) each call that it makes answers an error once. Whatever the call, a start ends in one of two ways: it succeeded all the same, and `vial stop` clears it
away; or it failed with a code and exactly one line. It never hangs, never crashes, and leaves nothing. The same for `run` and `exec`;
and what a `stop` that failed has left, the next one clears away.

An allocation that fails (brk, mmap) is let off the one line: there is no room left to say it in. What it leaves must be cleared
by the next command all the same.
"""

import errno
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

VIAL, FAULT = sys.argv[1:3]
ONLY = sys.argv[3:]
HANG = 10  # seconds
ERRORS = [errno.ENOSYS, errno.EIO, errno.EPERM, errno.ENOMEM, errno.EINVAL, errno.ENOSPC, errno.EACCES]
ALLOCATIONS = {9, 12, 25}  # mmap brk mremap
GROUND = "/run/faults"

failures = []
counts = {"starts": 0, "failed": 0, "tolerated": 0}


def call_names():
    names = {}
    for path in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if os.path.exists(path):
            for line in open(path):
                found = re.match(r"#define __NR_(\w+)\s+(\d+)", line)
                if found:
                    names[int(found[2])] = found[1]
            break
    return names


NAMES = call_names()


def groups():
    """The directories of control groups below the sandbox's own, and the processes in all of them."""
    directories, processes = set(), set()
    for point in GROUP_POINTS:
        for here, _, _ in os.walk(point):
            directories.add(here)
            try:
                with open(here + "/cgroup.procs") as file:
                    processes.update(int(pid) for pid in file.read().split())
            except OSError:
                pass  # gone since, or threaded
    return directories, processes


def mounts():
    with open("/proc/self/mountinfo") as file:
        return sorted(line.split(" ", 2)[2] for line in file)


def is_ours(pid):
    """A process in the sandbox that is neither we nor what we run in, nor on its way out."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
        return text[text.rindex(")") + 2] not in "ZX"
    except OSError:
        return False


def loops():
    found = []
    for name in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{name}/loop/backing_file") as file:
                backing = file.read().strip()
        except OSError:
            continue
        if "/faults/" in backing:
            found.append(name)
    return found


def tables():
    """The packet filter's: each message of the kernel's answer to NFT_MSG_GETTABLE has one."""
    found = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:
        kernel.send(struct.pack("=IHHIIBBH", 20, 10 << 8 | 1, 0x301, 1, 0, 0, 0, 0))
        while True:
            answer = kernel.recv(65536)
            while len(answer) >= 16:
                size, kind = struct.unpack_from("=IH", answer)
                if kind < 16:  # NLMSG_DONE, or an error
                    return found
                found.add(answer[20:size])
                answer = answer[(size + 3) & ~3:]


def state():
    try:
        return sorted(name for name in os.listdir("/run/vial") if name != ".lock")
    except FileNotFoundError:
        return []


def look():
    directories, processes = groups()
    return {
        "control groups": directories,
        "processes": {pid for pid in processes if is_ours(pid)},
        "mounts": set(mounts()),
        "interfaces": set(os.listdir("/sys/class/net")),
        "tables": tables(),
        "loop devices": set(loops()),
        "state": set(state()),
    }


def left_behind(before, patience=3.0, clearing=False):
    """What is there now and was not before; a dead container's interface takes some ten milliseconds to vanish. `clearing`: what
    the next command may clear away is not left."""
    end = time.monotonic() + patience
    while True:
        if clearing:
            vial("list")
        now = look()
        left = {kind: now[kind] - before[kind] for kind in now if now[kind] - before[kind]}
        gone = {kind: before[kind] - now[kind] for kind in ("mounts", "interfaces") if before[kind] - now[kind]}
        if not left and not gone or time.monotonic() > end:
            return left, gone
        time.sleep(0.005)


def vial(*words, timeout=HANG):
    try:
        done = subprocess.run([VIAL, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, text=True)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return None, "", "timed out"


def clean(before, name):
    """After a failure: so that the next one tells of itself. Ends only what this test has started."""
    vial("stop", "--timeout", "0s", name)
    for pid in look()["processes"] - before["processes"]:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.1)
    vial("list")
    shutil.rmtree(f"/run/vial/{name}", ignore_errors=True)
    for directory in sorted(look()["control groups"] - before["control groups"], key=len, reverse=True):
        try:
            os.rmdir(directory)
        except OSError:
            pass
    for link in look()["interfaces"] - before["interfaces"]:
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)


def complain(where, what):
    failures.append(f"{where}: {what}")
    print(f"FAILED {where}: {what}", flush=True)


# --- The containers ---

def make_image():
    image = GROUND + "/image"
    for directory in ("bin", "proc", "sys", "dev", "run", "tmp", "data", "etc"):
        os.makedirs(f"{image}/{directory}")
    shutil.copy(shutil.which("busybox"), f"{image}/bin/busybox")
    for applet in ("sh", "sleep", "true", "cat"):
        os.symlink("busybox", f"{image}/bin/{applet}")
    os.makedirs(GROUND + "/data")
    if shutil.which("mksquashfs"):
        subprocess.run(["mksquashfs", image, GROUND + "/image.squashfs", "-quiet", "-no-progress", "-noappend"],
                       check=True, stdout=subprocess.DEVNULL)


LENT = """
root = "/run/faults/image"
command = ["/bin/sleep", "1000"]
stop_signal = "KILL"
[network.wan0]
type = "physical"
parent = "vialfault1"
address = "10.99.1.2/24"
"""
CASES = {
    "plain": """
root = "/run/faults/image"
command = ["/bin/sleep", "1000"]
stop_timeout = "1s"
mounts = ["/run/faults/data:/data", "tmpfs:/run/scratch:size=1M"]
[limits]
memory = "64M"
cpu = "150%"
""",
    "image": """
root = "/run/faults/image.squashfs"
command = ["/bin/sleep", "1000"]
stop_timeout = "1s"
overlay = "tmpfs:4M"
mounts = ["/run/faults/data:/not/there/yet"]
ports = ["127.0.0.1:18099:80"]
dns = ["10.99.0.1"]
[network.eth0]
bridge = "vialfault0"
address = ["10.99.0.2/24", "fd99::2/64"]
gateway = "10.99.0.1"
""",
    "user": """
root = "/run/faults/image"
command = ["/bin/sleep", "1000"]
stop_timeout = "1s"
[namespaces]
user = true
time = true
[user_namespace]
auto = true
""",
    "lent": LENT,
    "bare": """
root = "/run/faults/image"
command = ["/bin/sleep", "1000"]
init = false
stop_signal = "KILL"
[namespaces.join]
ipc = "/proc/self/ns/ipc"
cgroup = "/proc/self/ns/cgroup"
""",
}


def strike(process, index, error, words):
    """Runs vial with one call failing: its exit code (None: it hung), what it said, and the call's number or -1."""
    read, write = os.pipe()
    started = subprocess.Popen([FAULT, str(process), str(index), str(error), VIAL, *words],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               close_fds=False, preexec_fn=lambda: os.dup2(write, 3), text=True)
    os.close(write)
    try:
        _, errors = started.communicate(timeout=HANG)
        code = started.returncode
    except subprocess.TimeoutExpired:
        started.kill()
        code, errors = None, ""
    # The pipe's other end may be held by what was left behind.
    os.set_blocking(read, False)
    try:
        struck = os.read(read, 100).decode().strip()
    except BlockingIOError:
        struck = ""
    os.close(read)
    return code, errors, int(struck) if struck else -1


def one_call(case, process, index, before):
    """The number of the call that failed, or None: the process makes fewer."""
    name = "f-" + case
    prelude, words, own_failure = COMMANDS.get(case, ((), ("start", f"{GROUND}/{name}.conf"), 1))
    error = ERRORS[(process * 3 + index) % len(ERRORS)]
    if prelude and "running" not in vial("list")[1]:
        code, _, errors = vial(*prelude)
        if code != 0:
            complain(case, f"{prelude}: {errors!r}")
    code, errors, call = strike(process, index, error, words)
    where = f"{case}, process {process}, call {index} ({NAMES.get(call, call)}: {errno.errorcode[error]})"
    counts["starts"] += 1
    if code is None:
        complain(where, "it hangs")
        clean(before, name)
        return call
    if call < 0:
        if code != 0:
            complain(where, f"without any fault: code {code}: {errors!r}")
        vial("stop", name)
        return None

    broken = False
    verbose = f"{where}: {code} {errors!r}"
    if code == 0:
        counts["tolerated"] += 1
    else:
        counts["failed"] += 1
        if call in ALLOCATIONS and process == 0:
            pass
        elif code not in (own_failure, 2, 3 if prelude else 2):
            complain(where, f"it gives {code}: {errors!r}")
            broken = True
        elif len(errors.splitlines()) != 1 or not errors.strip():
            complain(where, f"not one line: {errors!r}")
    if os.environ.get("VERBOSE"):
        print("tolerated" if code == 0 else "failed   ", verbose)
    if case in HARMLESS:
        if name not in state() or "running" not in vial("list")[1]:
            complain(where, f"code {code}, {errors!r}: the container is lost")
            clean(before, name)
        return call
    if code == 0 and case in CASES or code != 0 and prelude:
        # One that strikes the service itself may end it at once: it is a container that has ended. Or it is a stop that failed.
        stopped, _, said = vial("stop", name)
        if stopped not in (0, 3 if prelude else 0):
            complain(where, f"code {code}, but stop gives {stopped}: {said!r}")
            broken = True
    elif code != 0:
        vial("list")
    if NAMES.get(call) == "unlinkat":
        # The parent of all containers' control groups goes with the last one, and nobody looks whether that went well.
        for directory in look()["control groups"] - before["control groups"]:
            if directory.endswith("/vial") and not any(os.path.isdir(f"{directory}/{below}") for below in os.listdir(directory)):
                os.rmdir(directory)
    left, gone = left_behind(before, clearing=case in COMMANDS)
    if left or gone:
        complain(where, f"code {code}, {errors!r}; left: {left}; gone: {gone}")
        broken = True
    if broken:
        clean(before, name)
    return call


# What comes first, the command, and what it gives when vial itself failed.
COMMANDS = {
    "run": ((), ("run", GROUND + "/f-run.conf"), 125),
    "exec": (("start", GROUND + "/f-exec.conf"), ("exec", "f-exec", "--", "/bin/true"), 125),
    "list": (("start", GROUND + "/f-list.conf"), ("list",), 1),
    "status": (("start", GROUND + "/f-status.conf"), ("status", "f-status"), 1),
    "stop": (("start", GROUND + "/f-stop.conf"), ("stop", "f-stop"), 1),
    "return": (("start", GROUND + "/f-return.conf"), ("stop", "f-return"), 1),
}
HARMLESS = ("exec", "list", "status")  # the container goes on as if nothing had been
SIMPLE = """
root = "/run/faults/image"
command = ["/bin/%s", "1000"]
stop_signal = "KILL"
"""


def every_call(case, before):
    name = "f-" + case
    with open(f"{GROUND}/{name}.conf", "w") as file:
        file.write(LENT if case == "return" else CASES.get(case) or SIMPLE % ("true" if case == "run" else "sleep"))
    code, _, errors = vial("run" if case == "run" else "start", f"{GROUND}/{name}.conf")
    if code != 0:
        complain(case, f"it does not start at all: {errors!r}")
        return
    if case != "run":
        vial("stop", name)
    left, gone = left_behind(before)
    if left or gone:
        complain(case, f"an ordinary stop: left {left}, gone {gone}")
        return
    for process in range(4 if case in CASES or case == "run" else 2 if case == "exec" else 1):
        began = time.monotonic()
        index, before_it, row = 1, None, 0
        while (call := one_call(case, process, index, before)) is not None:
            # Of a long row of one call (the capabilities are asked for one by one) some are enough.
            row = row + 1 if call == before_it else 0
            before_it = call
            index += 1 if row < 6 else 5
        print(f"{case}: process {process}: {index - 1} calls, {time.monotonic() - began:.1f} s", flush=True)
    vial("stop", name)


def killed_launchers(case, times, before):
    """SIGKILL for the launcher, at moments spread over a start; one look afterwards clears everything."""
    name = "f-" + case
    path = f"{GROUND}/{name}.conf"
    with open(path, "w") as file:
        file.write(CASES[case])
    began = time.monotonic()
    vial("start", path)
    length = time.monotonic() - began
    vial("stop", name)
    generator = random.Random(7)
    survived = 0
    for turn in range(times):
        launcher = subprocess.Popen([VIAL, "start", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        time.sleep(length * 1.2 * (turn + generator.random()) / times)
        launcher.kill()
        launcher.wait()
        where = f"{case}, launcher killed, turn {turn}"
        code, _, errors = vial("list")
        if code != 0:
            complain(where, f"list gives {code}: {errors!r}")
        if name in state():
            # It had done its work, or PID 1 has yet to notice.
            end = time.monotonic() + 2
            while name in state() and time.monotonic() < end:
                code, output, errors = vial("list")
                if "running" in output:
                    survived += 1
                    vial("stop", name)
        left, gone = left_behind(before)
        if left or gone:
            complain(where, f"left {left}; gone {gone}")
            clean(before, name)
    print(f"{case}: {times} launchers killed, {survived} containers had started, {time.monotonic() - began:.1f} s",
          flush=True)


def main():
    global GROUP_POINTS
    if os.environ.get("VIAL_SANDBOX") != "1":
        sys.exit("every_call: not in a sandbox: run it by tests/system/sandbox.sh --network")
    if subprocess.run([FAULT, "0", "1", "0", "/bin/true"], check=False).returncode == 77:
        sys.exit(77)
    with open("/proc/self/mountinfo") as file:
        GROUP_POINTS = [line.split()[4] for line in file if re.search(r" - cgroup2? ", line)]
    os.makedirs(GROUND)
    make_image()
    subprocess.run("ip link add vialfault1 type veth peer name vialfault2".split(), check=True)
    before = look()
    for case in [*CASES, *COMMANDS]:
        if ONLY and case not in ONLY:
            continue
        if case == "image" and not os.path.exists(GROUND + "/image.squashfs"):
            print("image: skipped: there is no mksquashfs")
            continue
        every_call(case, before)
    for case, times in (("plain", 60), ("image", 40), ("lent", 40)):
        if not ONLY or "killed" in ONLY:
            killed_launchers(case, times, before)
    shutil.rmtree(GROUND)
    print(f"{counts['starts']} starts: {counts['failed']} failed as they should, {counts['tolerated']} went on; "
          f"{len(failures)} complaints")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
