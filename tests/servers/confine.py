"""Runs a command as veille.service would: no writable code, only the unit's system calls.

    python confine.py veille.service veille analyze FILE

Needs Linux 6.3 for PR_SET_MDWE, libseccomp, and systemd-analyze for the groups of system calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


def setting(unit: Path, name: str) -> list[str]:
    """Return what a unit file says of one setting, one entry a line."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def calls(group: str) -> set[str]:
    """Return the names in a group such as @system-service, groups within it included."""
    if not group.startswith("@"):
        return {group}
    out = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    names = [line.strip() for line in out.splitlines()[1:]]
    return {call for name in names if name and name[0] != "#" for call in calls(name)}


def allowed(unit: Path) -> set[str]:
    """Return every system call the unit allows."""
    found: set[str] = calls("@default")
    for line in setting(unit, "SystemCallFilter"):
        named = {call for group in line.removeprefix("~").split() for call in calls(group)}
        found = found - named if line.startswith("~") else found | named
    return found


def confine(names: set[str]) -> None:
    """From now on this process may not make code, and only these calls reach the kernel."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "prctl")
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in names:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0)
    if seccomp.seccomp_load(context):
        raise OSError("seccomp_load")


if __name__ == "__main__":
    unit, *command = sys.argv[1:]
    confine(allowed(Path(unit)))
    os.execvp(command[0], command)
