// SPDX-License-Identifier: MIT
#pragma once

/// The numbers of system calls that the libc's headers may be too old to know.
///
/// Since Linux 5.1 a new call gets the same number on every architecture, counted from the start of the
/// architecture's own table: the three ABIs of MIPS begin at 4000, 5000 and 6000.

#include <sys/syscall.h>

#if defined(_ABIO32) && _MIPS_SIM == _ABIO32
#define VIAL_FIRST_SYSCALL 4000
#elif defined(_ABI64) && _MIPS_SIM == _ABI64
#define VIAL_FIRST_SYSCALL 5000
#elif defined(_ABIN32) && _MIPS_SIM == _ABIN32
#define VIAL_FIRST_SYSCALL 6000
#else
#define VIAL_FIRST_SYSCALL 0
#endif

// The library may know a call as SYS_name only or __NR_name only: the kernel's name is used throughout.
#ifndef __NR_pidfd_send_signal
#define __NR_pidfd_send_signal (VIAL_FIRST_SYSCALL + 424)
#endif
#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup (VIAL_FIRST_SYSCALL + 425)
#endif
#ifndef __NR_io_uring_enter
#define __NR_io_uring_enter (VIAL_FIRST_SYSCALL + 426)
#endif
#ifndef __NR_io_uring_register
#define __NR_io_uring_register (VIAL_FIRST_SYSCALL + 427)
#endif
#ifndef __NR_open_tree
#define __NR_open_tree (VIAL_FIRST_SYSCALL + 428)
#endif
#ifndef __NR_move_mount
#define __NR_move_mount (VIAL_FIRST_SYSCALL + 429)
#endif
#ifndef __NR_fsopen
#define __NR_fsopen (VIAL_FIRST_SYSCALL + 430)
#endif
#ifndef __NR_fsconfig
#define __NR_fsconfig (VIAL_FIRST_SYSCALL + 431)
#endif
#ifndef __NR_fsmount
#define __NR_fsmount (VIAL_FIRST_SYSCALL + 432)
#endif
#ifndef __NR_fspick
#define __NR_fspick (VIAL_FIRST_SYSCALL + 433)
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open (VIAL_FIRST_SYSCALL + 434)
#endif
#ifndef __NR_clone3
#define __NR_clone3 (VIAL_FIRST_SYSCALL + 435)
#endif
#ifndef __NR_close_range
#define __NR_close_range (VIAL_FIRST_SYSCALL + 436)
#endif
#ifndef __NR_openat2
#define __NR_openat2 (VIAL_FIRST_SYSCALL + 437)
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd (VIAL_FIRST_SYSCALL + 438)
#endif
#ifndef __NR_mount_setattr
#define __NR_mount_setattr (VIAL_FIRST_SYSCALL + 442)
#endif
#ifndef __NR_quotactl_fd
#define __NR_quotactl_fd (VIAL_FIRST_SYSCALL + 443)
#endif
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset (VIAL_FIRST_SYSCALL + 444)
#endif
#ifndef __NR_landlock_add_rule
#define __NR_landlock_add_rule (VIAL_FIRST_SYSCALL + 445)
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self (VIAL_FIRST_SYSCALL + 446)
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr (VIAL_FIRST_SYSCALL + 467)
#endif

// Where a time once had 32 bits, musl has the old calls under names that say so; they are only made through the libc.
#if !defined(SYS_clock_gettime) && defined(SYS_clock_gettime32)
#define SYS_clock_gettime SYS_clock_gettime32
#endif
#if !defined(SYS_timerfd_settime) && defined(SYS_timerfd_settime32)
#define SYS_timerfd_settime SYS_timerfd_settime32
#endif
#if !defined(SYS_ppoll) && defined(SYS_ppoll_time32)
#define SYS_ppoll SYS_ppoll_time32
#endif
