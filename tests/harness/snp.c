/* SPDX-License-Identifier: MIT */
/* Raw launches of SEV, SEV-ES and SNP guests. */
#include <fcntl.h>

#include "gt_snp.h"

void gt_sev_open(const struct gt *t, uint32_t type, struct gt_sev *ret_sev)
{
	struct gt_sev sev = {.t = t, .kvm = gt_open_kvm(t)};
	int types;

	MUST(sev.kvm >= 0);
	types = gt_cap(t, sev.kvm, GMI_KVM_CAP_VM_TYPES);
	REQUIRE(types > 0 && types & 1 << type, "VMs of type %u are not offered", type);
	sev.sev = t->ops->open(t->user, "/dev/sev", O_RDWR | O_CLOEXEC);
	REQUIRE(sev.sev >= 0, "VMs of type %u without /dev/sev: no firmware", type);
	sev.vm = gt_create_vm(t, sev.kvm, type);
	MUST(sev.vm >= 0);
	*ret_sev = sev;
}

void gt_sev_close(struct gt_sev *sev)
{
	for (size_t i = 0; i < sev->vcpus; i++)
		gt_close(sev->t, sev->vcpu[i]);
	gt_close(sev->t, sev->vm);
	gt_close(sev->t, sev->sev);
	gt_close(sev->t, sev->kvm);
}

int gt_sev_op(struct gt_sev *sev, uint32_t id, void *data)
{
	struct gmi_kvm_sev_cmd cmd = {
		.id = id,
		.data = (uintptr_t)data,
		.error = sev->error,
		.sev_fd = (uint32_t)sev->sev,
	};
	int ret = gt_ioctl(sev->t, sev->vm, GMI_KVM_MEMORY_ENCRYPT_OP, &cmd);

	sev->error = cmd.error;
	return ret;
}

int gt_sev_init2(struct gt_sev *sev, uint64_t features)
{
	struct gmi_kvm_sev_init init = {.vmsa_features = features};

	return gt_sev_op(sev, GMI_KVM_SEV_INIT2, &init);
}

int gt_snp_start(struct gt_sev *sev, uint64_t policy)
{
	struct gmi_kvm_sev_snp_launch_start start = {.policy = policy};

	return gt_sev_op(sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start);
}

int gt_snp_finish(struct gt_sev *sev)
{
	struct gmi_kvm_sev_snp_launch_finish finish = {0};

	return gt_sev_op(sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH, &finish);
}

int gt_snp_update(struct gt_sev *sev, struct gmi_kvm_sev_snp_launch_update *update)
{
	return gt_sev_op(sev, GMI_KVM_SEV_SNP_LAUNCH_UPDATE, update);
}

int gt_snp_load(struct gt_sev *sev, uint64_t gpa, const void *source, uint64_t size, uint8_t type)
{
	struct gmi_kvm_sev_snp_launch_update update = {
		.gfn_start = gpa / GT_PAGE,
		.uaddr = (uintptr_t)source,
		.len = size,
		.type = type,
	};
	int ret = 0;

	while (!ret && update.len)
		ret = gt_snp_update(sev, &update);
	return ret;
}

/* Offsets in struct kvm_regs and struct kvm_sregs. */
enum { REGS_RDX = 3, REGS_RIP = 16, REGS_WORDS = 18 };
enum { SREGS_CS_BASE = 0, SREGS_WORDS = 39 };

static int set_entry(struct gt_sev *sev, int vcpu, uint64_t entry)
{
	uint64_t sregs[SREGS_WORDS];
	int ret = gt_ioctl(sev->t, vcpu, GMI_KVM_GET_SREGS, sregs);

	if (ret)
		return ret;
	sregs[SREGS_CS_BASE] = entry & 0xffff0000;
	return gt_ioctl(sev->t, vcpu, GMI_KVM_SET_SREGS, sregs);
}

int gt_sev_add_vcpu(struct gt_sev *sev, uint32_t signature, uint64_t entry)
{
	uint64_t regs[REGS_WORDS];
	int vcpu, ret;

	MUST(sev->vcpus < GT_SEV_VCPUS);
	vcpu = gt_ioctl_number(sev->t, sev->vm, GMI_KVM_CREATE_VCPU, sev->vcpus);
	if (vcpu < 0)
		return vcpu;
	sev->vcpu[sev->vcpus++] = vcpu;
	ret = gt_ioctl(sev->t, vcpu, GMI_KVM_GET_REGS, regs);
	regs[REGS_RDX] = signature;
	if (entry)
		regs[REGS_RIP] = entry & 0xffff;
	if (!ret)
		ret = gt_ioctl(sev->t, vcpu, GMI_KVM_SET_REGS, regs);
	if (!ret && entry)
		ret = set_entry(sev, vcpu, entry);
	return ret ? ret : vcpu;
}
