/* SPDX-License-Identifier: MIT */
/* What every ioctl answers before it looks at its argument. */
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

#define UNKNOWN_IOCTL  0xaeffu
#define NOT_KVMS_IOCTL 0x5401u /* TCGETS: of another type than 0xae */

static void wrong_descriptor_of(struct vm *vm)
{
	const struct gt *t = vm->t;
	int vcpu = gt_create_vcpu(t, vm->fd);
	int file = vm_file(vm, 1, 0);
	uint64_t gpa = 0, size = GT_PAGE;

	MUST(vcpu >= 0);
	EXPECT("4.0 /dev/kvm, VM ioctl", gt_create_gmem(t, vm->kvm, GT_PAGE, 0), -EINVAL);
	EXPECT("4.0 /dev/kvm, VM ioctl", gt_set_attributes(t, vm->kvm, 0, GT_PAGE, 0), -EINVAL);
	EXPECT("4.0 vCPU, VM ioctl", gt_create_gmem(t, vcpu, GT_PAGE, 0), -EINVAL);
	EXPECT("4.0 vCPU, foreign ioctl", gt_ioctl(t, vcpu, NOT_KVMS_IOCTL, NULL), -EINVAL);
	EXPECT("4.0 VM, vCPU ioctl", gt_pre_fault(t, vm->fd, &gpa, &size), -ENOTTY);
	EXPECT("4.0 VM, vCPU ioctl", gt_ioctl(t, vm->fd, GMI_KVM_RUN, NULL), -ENOTTY);
	EXPECT("4.0 VM, unknown ioctl", gt_ioctl(t, vm->fd, UNKNOWN_IOCTL, NULL), -ENOTTY);
	EXPECT("4.0 file", gt_ioctl(t, file, UNKNOWN_IOCTL, NULL), -ENOTTY);
	EXPECT("4.0 file", gt_ioctl(t, file, NOT_KVMS_IOCTL, NULL), -ENOTTY);
	EXPECT("4.0 file", gt_create_gmem(t, file, GT_PAGE, 0), -ENOTTY);
	EXPECT("4.0 file", gt_set_attributes(t, file, 0, GT_PAGE, 0), -ENOTTY);
	gt_close(t, file);
	gt_close(t, vcpu);
}

static void wrong_descriptor(struct gt *t)
{
	each_vm(t, wrong_descriptor_of);
}

/* In a forked child. The exit status carries the failures back. */
static int ask_as_stranger(struct vm *vm, int vcpu, int file)
{
	const struct gt *t = vm->t;
	bool ok = true;

	ok &= EXPECT("4.0 other mm", gt_cap(t, vm->fd, GMI_KVM_CAP_USER_MEMORY), -EIO);
	ok &= EXPECT("4.0 other mm", gt_ioctl(t, vm->fd, UNKNOWN_IOCTL, NULL), -EIO);
	ok &= EXPECT("4.0 other mm", gt_create_gmem(t, vm->fd, 1, 0), -EIO);
	ok &= EXPECT("4.0 other mm", gt_set_region(t, vm->fd, 9, 0xff, 1, 1, NULL), -EIO);
	ok &= EXPECT("4.0 other mm", gt_ioctl(t, vcpu, GMI_KVM_RUN, NULL), -EIO);
	ok &= EXPECT("9 file in a fork child", gt_allocate(t, file, 0, GT_PAGE), 0);
	ok &= EXPECT("9 file in a fork child", gt_punch(t, file, 0, GT_PAGE), 0);
	return ok ? 0 : 1;
}

static void other_mm_of(struct vm *vm)
{
	int vcpu = gt_create_vcpu(vm->t, vm->fd);
	int file = vm_file(vm, 1, 0);
	int status = -1;
	pid_t pid;

	MUST(vcpu >= 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(ask_as_stranger(vm, vcpu, file));
	MUST(pid > 0 && waitpid(pid, &status, 0) == pid);
	EXPECT("4.0 other mm", status, 0);
	EXPECT("4.0 own mm", gt_cap(vm->t, vm->fd, GMI_KVM_CAP_USER_MEMORY), 1);
	gt_close(vm->t, file);
	gt_close(vm->t, vcpu);
}

static void other_mm(struct gt *t)
{
	each_vm(t, other_mm_of);
}

static void closed_descriptor(struct gt *t)
{
	int kvm = gt_open_kvm(t);

	MUST(kvm >= 0);
	EXPECT("close", gt_close(t, kvm), 0);
	EXPECT("close", gt_close(t, kvm), -EBADF);
	EXPECT("ioctl", gt_cap(t, kvm, GMI_KVM_CAP_USER_MEMORY), -EBADF);
	EXPECT("ioctl", gt_cap(t, -1, GMI_KVM_CAP_USER_MEMORY), -EBADF);
	EXPECT("fallocate", gt_allocate(t, kvm, 0, GT_PAGE), -EBADF);
}

static const struct gt_test tests[] = {
	GT_TEST(wrong_descriptor),
	GT_TEST(other_mm),
	GT_TEST(closed_descriptor),
};

GT_MAIN(tests)
