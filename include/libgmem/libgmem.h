/* SPDX-License-Identifier: MIT */
/**
 * DOC: libgmem
 *
 * Drives KVM's guest_memfd for virtual machine monitors: creates and binds files of guest memory,
 * on every kernel that has them, and says which mechanism it chose and why.
 *
 * The objects, each opaque, each made by a function that ends in _create, _adopt (takes over a
 * descriptor) or _borrow (leaves it with the caller):
 *
 *   gmem_ctx    the KVM device, the table of system calls, the answers of the probe      (ctx.h)
 *   gmem_vm     one VM descriptor: its files, its bound ranges                            (vm.h)
 *   gmem_file   one VM's view of an inode that owns guest memory                          (file.h)
 *   gmem_slot   a range of guest addresses bound to memory                                (slot.h)
 *
 * And beside them: a second VM on the same memory (link.h), a new VM object for a guest that reboots
 * (reboot.h), another process that a VM goes on in (handover.h), launches of confidential guests
 * (launch.h, snp.h, tdx.h), memory that is ready ahead (prealloc.h), plans for large pages
 * (layout.h), the host's pools of huge pages (hugetlb.h).
 *
 * The pieces can be used one at a time: a VMM that keeps its own memslots borrows its VM to libgmem
 * and adopts the ranges that it has bound.
 *
 * What libgmem never does: print, exit, abort, install a signal handler, start a thread that was
 * not asked for, keep global state (the error record of a thread apart), read the environment, or
 * hold a lock across a system call that a running vCPU needs.
 *
 * Caveats
 *
 *  - A file keeps its VM alive in the kernel, and a mapping keeps the file: memory comes back only
 *    when all descriptors, duplicates in other processes included, and all mappings are gone.
 *  - After fork() the child can use the files' memory, but no VM: KVM answers with EIO there.
 *  - Touching private memory from the host raises SIGBUS; passing it to a system call gives EFAULT.
 *  - populate allocates real memory at once. Where there is none, the kernel may kill the process
 *    instead of returning an error; keep a margin.
 */
#ifndef LIBGMEM_LIBGMEM_H
#define LIBGMEM_LIBGMEM_H

#include <libgmem/attr.h>
#include <libgmem/ctx.h>
#include <libgmem/error.h>
#include <libgmem/exit.h>
#include <libgmem/file.h>
#include <libgmem/handover.h>
#include <libgmem/hugetlb.h>
#include <libgmem/layout.h>
#include <libgmem/link.h>
#include <libgmem/listener.h>
#include <libgmem/prealloc.h>
#include <libgmem/reboot.h>
#include <libgmem/slot.h>
#include <libgmem/snp.h>
#include <libgmem/sys.h>
#include <libgmem/tdx.h>
#include <libgmem/types.h>
#include <libgmem/version.h>
#include <libgmem/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * gmem_version() - The version of the library that the program runs with
 *
 * GMEM_VERSION_STRING of version.h is the one that it was compiled against.
 *
 * Threads: safe. Kernel: none.
 *
 * Return: a string such as "0.1.0".
 */
const char *gmem_version(void);

#ifdef __cplusplus
}
#endif

#endif
