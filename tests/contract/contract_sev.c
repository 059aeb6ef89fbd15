/* SPDX-License-Identifier: MIT */
/* KVM_MEMORY_ENCRYPT_OP of SEV and SEV-ES guests: the order of a launch, and what is refused. */
#include "contract.h"
#include "gt_snp.h"

/* Rows name the function of arch/x86/kvm/svm/sev.c of 7.3.4, or "fw" for what the firmware says. */
#define KEPT 0x5a

#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

static int op(struct gt_sev *sev, uint32_t id, void *data)
{
	sev->error = KEPT;
	return gt_sev_op(sev, id, data);
}

#define EXPECT_OP(row, sev, id, data, ret, status)                                                 \
	do {                                                                                       \
		EXPECT_CASE(row, #id, op(sev, id, data), ret);                                     \
		EXPECT_CASE(row, "error after " #id, (sev)->error, status);                        \
	} while (0)

/* No debugging and no sharing of keys; ES where it is. */
static int start(struct gt_sev *sev)
{
	struct gmi_kvm_sev_launch_start args = {.policy = 1};
	int ret = op(sev, GMI_KVM_SEV_LAUNCH_START, &args);

	SAME("sev_launch_start handle", !ret == !!args.handle, true);
	return ret;
}

static void start_arguments(struct gt *t)
{
	struct gmi_kvm_sev_launch_start args = {.dh_uaddr = 1};
	struct gt_sev sev;
	int fd;

	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &sev);
	EXPECT_OP("sev_launch_start", &sev, GMI_KVM_SEV_LAUNCH_START, &args, -ENOTTY, KEPT);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("sev_launch_start", &sev, GMI_KVM_SEV_LAUNCH_START, unmapped_address(t), -EFAULT,
		  KEPT);
	EXPECT_OP("psp_copy_user_blob", &sev, GMI_KVM_SEV_LAUNCH_START, &args, -EINVAL, KEPT);
	args.dh_len = 16385;
	EXPECT_OP("psp_copy_user_blob", &sev, GMI_KVM_SEV_LAUNCH_START, &args, -EINVAL, KEPT);
	args.dh_len = 16;
	args.dh_uaddr = (uintptr_t)unmapped_address(t);
	EXPECT_OP("psp_copy_user_blob", &sev, GMI_KVM_SEV_LAUNCH_START, &args, -EFAULT, KEPT);
	fd = sev.sev;
	sev.sev = sev.vm;
	SAME("__sev_issue_cmd", start(&sev), -EBADF);
	SAME("__sev_issue_cmd", sev.error, KEPT);
	sev.sev = fd;
	SAME("sev_launch_start", start(&sev), 0);
	SAME("fw", start(&sev), -EIO);
	SAME("fw", sev.error, GMI_SEV_RET_ASID_OWNED);
	gt_sev_close(&sev);
}

static void data_arguments(struct gt *t)
{
	struct gmi_kvm_sev_launch_update_data args = {0};
	uint8_t *bytes = gt_anonymous(t, GT_PAGE);
	struct gt_sev sev;

	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &sev);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("sev_launch_update_data", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA,
		  unmapped_address(t), -EFAULT, KEPT);
	EXPECT_OP("sev_pin_memory", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &args, -EINVAL, KEPT);
	args = (struct gmi_kvm_sev_launch_update_data){.uaddr = UINT64_MAX - 15, .len = 32};
	EXPECT_OP("sev_pin_memory", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &args, -EINVAL, KEPT);
	args = (struct gmi_kvm_sev_launch_update_data){(uintptr_t)unmapped_address(t), 16, 0};
	EXPECT_OP("sev_pin_user_pages", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &args, -ENOMEM, KEPT);
	args.uaddr = (uintptr_t)bytes;
	EXPECT_OP("no START: fd 0", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &args, -EBADF, KEPT);
	MUST(start(&sev) == 0);
	EXPECT_OP("sev_launch_update_data", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &args, 0, 0);
	EXPECT_OP("sev_launch_update_vmsa", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, -ENOTTY,
		  KEPT);
	gt_sev_close(&sev);
	gt_unmap(t, bytes, GT_PAGE);
}

static uint32_t state(struct gt_sev *sev)
{
	struct gmi_kvm_sev_guest_status status = {0};

	EXPECT_OP("sev_guest_status", sev, GMI_KVM_SEV_GUEST_STATUS, &status, 0, 0);
	return status.state;
}

/* Measured once; then data may come no more, and the guest may be finished. */
static void launch(struct gt *t)
{
	struct gmi_kvm_sev_launch_update_data data = {.len = 16};
	struct gmi_kvm_sev_launch_measure measure = {0};
	uint8_t *bytes = gt_anonymous(t, GT_PAGE);
	struct gt_sev sev;

	data.uaddr = (uintptr_t)bytes;
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &sev);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("sev_launch_measure before", &sev, GMI_KVM_SEV_LAUNCH_MEASURE, &measure, -EBADF,
		  KEPT);
	SAME("sev_launch_measure before", measure.len, 0);
	MUST(start(&sev) == 0);
	SAME("fw launching", state(&sev), 1);
	EXPECT_OP("fw", &sev, GMI_KVM_SEV_LAUNCH_FINISH, NULL, -EIO,
		  GMI_SEV_RET_INVALID_GUEST_STATE);
	EXPECT_OP("sev_launch_measure length", &sev, GMI_KVM_SEV_LAUNCH_MEASURE, &measure, -EIO,
		  GMI_SEV_RET_INVALID_LEN);
	SAME("sev_launch_measure length", measure.len, 48);
	measure = (struct gmi_kvm_sev_launch_measure){(uintptr_t)bytes, 16385, 0};
	EXPECT_OP("sev_launch_measure", &sev, GMI_KVM_SEV_LAUNCH_MEASURE, &measure, -EINVAL, KEPT);
	memset(bytes, 0xaa, 65);
	measure.len = 64;
	EXPECT_OP("sev_launch_measure", &sev, GMI_KVM_SEV_LAUNCH_MEASURE, &measure, 0, 0);
	SAME("sev_launch_measure all of the buffer", bytes[48] | bytes[63], 0);
	SAME("sev_launch_measure no more", bytes[64], 0xaa);
	SAME("sev_launch_measure", measure.len, 48);
	SAME("fw secret", state(&sev), 2);
	EXPECT_OP("fw", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, &data, -EIO,
		  GMI_SEV_RET_INVALID_GUEST_STATE);
	EXPECT_OP("sev_launch_finish", &sev, GMI_KVM_SEV_LAUNCH_FINISH, NULL, 0, 0);
	SAME("fw running", state(&sev), 3);
	EXPECT_OP("fw", &sev, GMI_KVM_SEV_LAUNCH_FINISH, NULL, -EIO,
		  GMI_SEV_RET_INVALID_GUEST_STATE);
	gt_sev_close(&sev);
	gt_unmap(t, bytes, GT_PAGE);
}

/* The registers are the guest's own once they are measured, the FPU's too. */
static void vcpus(struct gt *t)
{
	uint64_t regs[64], fpu[64];
	struct gt_sev sev;
	int vcpu;

	gt_sev_open(t, GMI_KVM_X86_SEV_ES_VM, &sev);
	EXPECT_OP("sev_launch_update_vmsa", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, -ENOTTY,
		  KEPT);
	MUST(gt_sev_init2(&sev, 0) == 0 && start(&sev) == 0);
	vcpu = gt_sev_add_vcpu(&sev, 0, 0);
	MUST(vcpu >= 0);
	SAME("sregs before", gt_ioctl(t, vcpu, GMI_KVM_GET_SREGS, regs), 0);
	EXPECT_OP("sev_launch_update_vmsa", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, 0, 0);
	EXPECT_OP("sev_es_sync_vmsa", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, -EINVAL, KEPT);
	SAME("protected", gt_ioctl(t, vcpu, GMI_KVM_GET_REGS, regs), -EINVAL);
	SAME("protected", gt_ioctl(t, vcpu, GMI_KVM_SET_SREGS, regs), -EINVAL);
	SAME("protected", gt_ioctl(t, vcpu, GMI_KVM_GET_FPU, fpu), -EINVAL);
	gt_sev_close(&sev);
}

#define COPY GMI_KVM_CAP_VM_COPY_ENC_CONTEXT_FROM
#define MOVE GMI_KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM

static int take(struct gt_sev *to, uint32_t cap, int from)
{
	return gt_enable_cap(to->t, to->vm, cap, (uint64_t)from);
}

/* Section 14, ENABLE_CAP 197 and 206: what both refuse. */
static void context_arguments(struct gt *t)
{
	static const uint32_t caps[] = {COPY, MOVE};
	struct gt_sev a, b, snp;

	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &a);
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &b);
	gt_sev_open(t, GMI_KVM_X86_SNP_VM, &snp);
	for (size_t i = 0; i < GT_COUNT(caps); i++) {
		struct gmi_kvm_enable_cap flags = {.cap = caps[i], .flags = 1};

		SAME("14 cap.flags", gt_ioctl(t, b.vm, GMI_KVM_ENABLE_CAP, &flags), -EINVAL);
		SAME("14 not open", take(&b, caps[i], -1), -EBADF);
		SAME("14 not a VM", take(&b, caps[i], b.sev), -EBADF);
		SAME("14 same VM", take(&b, caps[i], b.vm), -EINVAL);
		SAME("14 source not SEV", take(&b, caps[i], a.vm), -EINVAL);
	}
	MUST(gt_sev_init2(&a, 0) == 0 && gt_sev_init2(&snp, 0) == 0);
	SAME("14 SNP", take(&b, COPY, snp.vm), -EINVAL);
	SAME("14 destination is SEV", take(&snp, COPY, a.vm), -EINVAL);
	SAME("14 types differ", take(&snp, MOVE, a.vm), -EINVAL);
	gt_close(t, b.vm);
	b.vm = gt_create_vm(t, b.kvm, GMI_KVM_X86_SNP_VM);
	SAME("14 MOVE of SNP", take(&b, MOVE, snp.vm), -EINVAL);
	gt_sev_close(&snp);
	gt_sev_close(&b);
	gt_sev_close(&a);
}

/* A mirror may do little, and is no owner itself. */
static void mirror(struct gt *t)
{
	struct gmi_kvm_sev_guest_status status;
	struct gmi_kvm_enc_region region = {0};
	struct gt_sev a, b, c;

	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &a);
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &b);
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &c);
	MUST(gt_sev_init2(&a, 0) == 0 && start(&a) == 0);
	MUST(gt_sev_add_vcpu(&c, 0, 0) >= 0);
	SAME("14 COPY vCPUs", take(&c, COPY, a.vm), -EINVAL);
	SAME("14 COPY", take(&b, COPY, a.vm), 0);
	SAME("14 COPY again", take(&b, COPY, a.vm), -EINVAL);
	gt_sev_close(&c);
	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &c);
	SAME("14 COPY of a mirror", take(&c, COPY, b.vm), -EINVAL);
	EXPECT_OP("14 mirror", &b, GMI_KVM_SEV_INIT2, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 mirror", &b, GMI_KVM_SEV_LAUNCH_FINISH, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 mirror", &b, 104, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 mirror", &b, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, -ENOTTY, KEPT);
	EXPECT_OP("5 mirror", &b, GMI_KVM_SEV_GUEST_STATUS, &status, 0, 0);
	SAME("3 REG_REGION mirror", gt_ioctl(t, b.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region),
	     -EINVAL);
	gt_close(t, a.vm);
	a.vm = b.vm;
	EXPECT_OP("5 mirror outlives", &a, GMI_KVM_SEV_GUEST_STATUS, &status, 0, 0);
	b.vm = gt_create_vm(t, b.kvm, GMI_KVM_X86_DEFAULT_VM);
	gt_sev_close(&c);
	gt_sev_close(&b);
	gt_sev_close(&a);
}

/* What a move leaves: a source that is dead, and a VM that knows no /dev/sev any more. */
static void moved(struct gt *t)
{
	struct gmi_kvm_sev_guest_status status;
	struct gt_sev a, b;

	gt_sev_open(t, GMI_KVM_X86_SEV_ES_VM, &a);
	gt_sev_open(t, GMI_KVM_X86_SEV_ES_VM, &b);
	MUST(gt_sev_init2(&a, 0) == 0 && start(&a) == 0);
	MUST(gt_sev_add_vcpu(&a, 0, 0) >= 0);
	SAME("14 MOVE vCPU counts", take(&b, MOVE, a.vm), -EINVAL);
	MUST(gt_sev_add_vcpu(&b, 0, 0) >= 0);
	SAME("14 MOVE unprotected", take(&b, MOVE, a.vm), -EINVAL);
	MUST(op(&a, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL) == 0);
	SAME("14 MOVE", take(&b, MOVE, a.vm), 0);
	SAME("14 source dead", gt_cap(t, a.vm, MOVE), -EIO);
	SAME("14 source dead", gt_ioctl(t, a.vcpu[0], GMI_KVM_RUN, NULL), -EIO);
	EXPECT_OP("14 INIT2 of a destination", &b, GMI_KVM_SEV_INIT2, NULL, -EFAULT, KEPT);
	SAME("5 RUN of a destination", gt_ioctl(t, b.vcpu[0], GMI_KVM_RUN, NULL), -EINVAL);
	EXPECT_OP("5 fd is not moved", &b, GMI_KVM_SEV_GUEST_STATUS, &status, -EBADF, KEPT);
	gt_sev_close(&b);
	gt_sev_close(&a);
}

static const struct gt_test tests[] = {
	GT_TEST(start_arguments),   GT_TEST(data_arguments), GT_TEST(launch), GT_TEST(vcpus),
	GT_TEST(context_arguments), GT_TEST(mirror),         GT_TEST(moved),
};

GT_MAIN(tests)
