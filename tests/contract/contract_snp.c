/* SPDX-License-Identifier: MIT */
/* KVM_MEMORY_ENCRYPT_OP of SNP guests: what is refused, in which order, and what is written back. */
#include <sys/mman.h>

#include "contract.h"
#include "gt_snp.h"
#include "uapi_rfc.h"

/*
 * Rows name the operation and the condition of section 14 of the facts on SNP for 7.3.4, "14 INIT2
 * flags", or the section that says it. kvm_sev_cmd.error starts as KEPT, and is KEPT where the row
 * says cmd*.
 */
#define KEPT 0x5a

#define SNP GMI_KVM_X86_SNP_VM
#define GPA TEST_GPA

/* An SNP VM with a file of SIZE in one slot, private. */
struct snp {
	struct gt_sev sev;
	int file;
	uint8_t *source;
	uint8_t *backing;
};

#define PAGES 8
#define SIZE  (PAGES * GT_PAGE)

static int op(struct gt_sev *sev, uint32_t id, void *data)
{
	sev->error = KEPT;
	return gt_sev_op(sev, id, data);
}

/* For numbers without a sign. */
#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

#define EXPECT_OP(row, sev, id, data, ret, status)                                                 \
	do {                                                                                       \
		EXPECT_CASE(row, #id, op(sev, id, data), ret);                                     \
		EXPECT_CASE(row, "error after " #id, (sev)->error, status);                        \
	} while (0)

static int set_private(struct snp *snp, uint64_t offset, uint64_t size, bool private)
{
	struct vm vm = {.t = snp->sev.t, .fd = snp->sev.vm};

	vm.traits.in_place =
		gt_cap(snp->sev.t, snp->sev.kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0;
	return vm_convert(&vm, snp->file, offset, GPA + offset, size, private ? GT_PRIVATE : 0);
}

static void snp_bind(struct snp *snp)
{
	const struct gt *t = snp->sev.t;

	snp->file = gt_create_gmem(t, snp->sev.vm, SIZE, 0);
	MUST(snp->file >= 0);
	snp->backing = gt_anonymous(t, SIZE);
	MUST(gt_bind(t, snp->sev.vm, 0, GPA, SIZE, snp->backing, snp->file, 0) == 0);
	MUST(set_private(snp, 0, SIZE, true) == 0);
	snp->source = gt_anonymous(t, SIZE);
	memset(snp->source, 0x11, SIZE);
}

/* Up to LAUNCH_START. */
static void snp_open(struct gt *t, struct snp *ret_snp)
{
	*ret_snp = (struct snp){.file = -1};
	gt_sev_open(t, SNP, &ret_snp->sev);
	MUST(gt_sev_init2(&ret_snp->sev, 0) == 0);
	snp_bind(ret_snp);
}

static void snp_open_started(struct gt *t, struct snp *ret_snp)
{
	snp_open(t, ret_snp);
	MUST(gt_snp_start(&ret_snp->sev, GT_SNP_POLICY) == 0);
}

static void snp_close(struct snp *snp)
{
	const struct gt *t = snp->sev.t;

	gt_unmap(t, snp->source, SIZE);
	gt_unmap(t, snp->backing, SIZE);
	if (snp->file >= 0)
		gt_close(t, snp->file);
	gt_sev_close(&snp->sev);
}

static void dispatch(struct gt *t)
{
	struct gmi_kvm_sev_cmd *cmd = gt_anonymous(t, GT_PAGE);
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	EXPECT("14 argument NULL", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), 0);
	EXPECT("14 cmd unreadable",
	       gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_OP, unmapped_address(t)), -EFAULT);
	EXPECT_OP("14 unknown id", &sev, 23, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 unknown id", &sev, 99, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 unknown id", &sev, 104, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 unknown id", &sev, GMI_KVM_SEV_SEND_UPDATE_VMSA, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 unknown id", &sev, GMI_KVM_SEV_RECEIVE_UPDATE_VMSA, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 unknown id", &sev, GMI_KVM_SEV_CERT_EXPORT, NULL, -EINVAL, KEPT);
	*cmd = (struct gmi_kvm_sev_cmd){.id = GMI_KVM_SEV_SNP_LAUNCH_UPDATE};
	MUST(mprotect(cmd, GT_PAGE, PROT_READ) == 0);
	EXPECT("2.1 cmd not writable", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_OP, cmd),
	       -EFAULT);
	MUST(mprotect(cmd, GT_PAGE, PROT_READ | PROT_WRITE) == 0);
	*cmd = (struct gmi_kvm_sev_cmd){.id = GMI_KVM_SEV_INIT2, .data = (uintptr_t)(cmd + 1)};
	MUST(mprotect(cmd, GT_PAGE, PROT_READ) == 0);
	EXPECT("2.1 cmd not writable", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_OP, cmd),
	       -EFAULT);
	EXPECT_OP("2.1 done all the same", &sev, GMI_KVM_SEV_INIT2, cmd + 1, -EPERM, KEPT);
	gt_unmap(t, cmd, GT_PAGE);
	gt_sev_close(&sev);
}

/* Before INIT2 the type alone makes no SNP guest. */
static void before_init2(struct gt *t)
{
	struct gt_sev sev;
	int vcpu;

	gt_sev_open(t, SNP, &sev);
	EXPECT_OP("14 INIT not default", &sev, GMI_KVM_SEV_INIT, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 INIT not default", &sev, GMI_KVM_SEV_ES_INIT, NULL, -EINVAL, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_LAUNCH_START, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_DATA, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_LAUNCH_MEASURE, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_LAUNCH_FINISH, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_GUEST_STATUS, NULL, -ENOTTY, KEPT);
	EXPECT_OP("2.1 not a guest", &sev, GMI_KVM_SEV_RECEIVE_UPDATE_DATA, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 START not SNP", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, NULL, -ENOTTY, KEPT);
	EXPECT_OP("14 UPDATE not SNP", &sev, GMI_KVM_SEV_SNP_LAUNCH_UPDATE, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 FINISH not SNP", &sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH, NULL, -ENOTTY, KEPT);
	EXPECT_OP("14 REQ_CERTS not SNP", &sev, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, -EINVAL,
		  KEPT);
	vcpu = gt_create_vcpu(t, sev.vm);
	MUST(vcpu >= 0);
	EXPECT("14 vCPU fd", gt_ioctl(t, vcpu, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -ENOTTY);
	EXPECT("14 RUN without INIT2", gt_ioctl(t, vcpu, GMI_KVM_RUN, NULL), -EINVAL);
	gt_close(t, vcpu);
	gt_sev_close(&sev);
}

static uint64_t attribute(const struct gt_sev *sev, uint64_t attr)
{
	uint64_t value = 0;
	struct gmi_kvm_device_attr args = {
		.group = GMI_KVM_X86_GRP_SEV,
		.attr = attr,
		.addr = (uintptr_t)&value,
	};

	MUST(gt_ioctl(sev->t, sev->kvm, GMI_KVM_GET_DEVICE_ATTR, &args) == 0);
	return value;
}

static void init2_arguments(struct gt *t)
{
	struct gmi_kvm_sev_init init = {.flags = 1};
	struct gt_sev sev;
	uint64_t mask;

	gt_sev_open(t, SNP, &sev);
	mask = attribute(&sev, GMI_KVM_X86_SEV_VMSA_FEATURES);
	EXPECT_OP("14 INIT2 struct", &sev, GMI_KVM_SEV_INIT2, unmapped_address(t), -EFAULT, KEPT);
	EXPECT_OP("14 INIT2 flags", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	for (int bit = 0; bit < 64; bit++) {
		init = (struct gmi_kvm_sev_init){.vmsa_features = UINT64_C(1) << bit};
		if (!(mask & init.vmsa_features))
			EXPECT_OP("14 INIT2 features", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL,
				  KEPT);
	}
	init = (struct gmi_kvm_sev_init){.ghcb_version = 3};
	EXPECT_OP("14 INIT2 ghcb", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	init = (struct gmi_kvm_sev_init){.ghcb_version = 1};
	EXPECT_OP("14 INIT2 SNP ghcb 1", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	init = (struct gmi_kvm_sev_init){.ghcb_version = 2, .pad1 = 1, .pad2 = {1}};
	EXPECT_OP("14 INIT2 success", &sev, GMI_KVM_SEV_INIT2, &init, 0, KEPT);
	EXPECT_OP("14 SNP, id < 100", &sev, GMI_KVM_SEV_INIT2, &init, -EPERM, KEPT);
	EXPECT_OP("14 SNP, id < 100", &sev, 10, NULL, -EPERM, KEPT);
	EXPECT_OP("14 SNP, id < 100", &sev, 99, NULL, -EPERM, KEPT);
	EXPECT_OP("14 unknown id", &sev, 104, NULL, -EINVAL, KEPT);
	gt_sev_close(&sev);
}

static void init2_order(struct gt *t)
{
	struct gmi_kvm_sev_init init = {0};
	struct gt_sev sev;
	int vcpu, other;

	gt_sev_open(t, SNP, &sev);
	vcpu = gt_create_vcpu(t, sev.vm);
	MUST(vcpu >= 0);
	EXPECT_OP("14 INIT2 struct", &sev, GMI_KVM_SEV_INIT2, unmapped_address(t), -EFAULT, KEPT);
	EXPECT_OP("14 INIT2 vCPU", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	gt_close(t, vcpu);
	other = gt_create_vm(t, sev.kvm, GMI_KVM_X86_DEFAULT_VM);
	MUST(other >= 0);
	gt_close(t, sev.vm);
	sev.vm = other;
	EXPECT_OP("14 INIT2 type", &sev, GMI_KVM_SEV_INIT2, unmapped_address(t), -EINVAL, KEPT);
	gt_sev_close(&sev);
}

/* Plain SEV has no VMSA and no GHCB. */
static void init2_sev(struct gt *t)
{
	struct gmi_kvm_sev_init init = {.vmsa_features = GMI_SEV_FEATURE_DEBUG_SWAP};
	struct gt_sev sev;

	gt_sev_open(t, GMI_KVM_X86_SEV_VM, &sev);
	EXPECT_OP("14 INIT2 SEV features", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	init = (struct gmi_kvm_sev_init){.ghcb_version = 1};
	EXPECT_OP("14 INIT2 SEV ghcb", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	init = (struct gmi_kvm_sev_init){0};
	EXPECT_OP("14 INIT2 success", &sev, GMI_KVM_SEV_INIT2, &init, 0, KEPT);
	EXPECT_OP("14 INIT2 done before", &sev, GMI_KVM_SEV_INIT2, NULL, -EINVAL, KEPT);
	EXPECT_OP("14 START not SNP", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, NULL, -ENOTTY, KEPT);
	gt_sev_close(&sev);
	gt_sev_open(t, GMI_KVM_X86_SEV_ES_VM, &sev);
	init = (struct gmi_kvm_sev_init){.vmsa_features = GMI_SEV_FEATURE_SECURE_TSC};
	EXPECT_OP("14 INIT2 ES SecureTSC", &sev, GMI_KVM_SEV_INIT2, &init, -EINVAL, KEPT);
	init = (struct gmi_kvm_sev_init){.ghcb_version = 1};
	EXPECT_OP("14 INIT2 success", &sev, GMI_KVM_SEV_INIT2, &init, 0, KEPT);
	gt_sev_close(&sev);
}

static void start_arguments(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_start start = {.policy = GT_SNP_POLICY, .flags = 1};
	struct gt_sev sev;
	uint64_t mask;
	int fd;

	gt_sev_open(t, SNP, &sev);
	mask = attribute(&sev, GMI_KVM_X86_SNP_POLICY_BITS);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("14 START struct", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, unmapped_address(t),
		  -EFAULT, KEPT);
	EXPECT_OP("14 START flags", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -EINVAL, KEPT);
	start.flags = 0;
	for (int bit = 0; bit < 64; bit++) {
		start.policy = GT_SNP_POLICY | UINT64_C(1) << bit;
		if (!(mask & UINT64_C(1) << bit))
			EXPECT_OP("14 START policy", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start,
				  -EINVAL, KEPT);
	}
	start.policy = GMI_SNP_POLICY_SMT;
	EXPECT_OP("14 START bit 17", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -EINVAL, KEPT);
	start.policy = GT_SNP_POLICY;
	fd = sev.sev;
	sev.sev = -1;
	EXPECT_OP("14 START sev_fd", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -ENOTTY, KEPT);
	sev.sev = sev.kvm;
	EXPECT_OP("14 START sev_fd", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -ENOTTY, KEPT);
	start.flags = 1;
	EXPECT_OP("14 START flags", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -EINVAL, KEPT);
	sev.sev = fd;
	gt_sev_close(&sev);
}

static void start_firmware(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_start start = {.policy = GT_SNP_POLICY | 0xffff};
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("14 START refused", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -EIO,
		  GMI_SEV_RET_POLICY_FAILURE);
	memset(start.pad0, 0xff, sizeof(start.pad0));
	memset(start.pad1, 0xff, sizeof(start.pad1));
	start.policy = GT_SNP_POLICY;
	EXPECT_OP("14 START again", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, 0, 0);
	start.flags = 1;
	EXPECT_OP("14 START context", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, &start, -EINVAL, KEPT);
	EXPECT_OP("14 START struct", &sev, GMI_KVM_SEV_SNP_LAUNCH_START, unmapped_address(t),
		  -EFAULT, KEPT);
	gt_sev_close(&sev);
}

static int update(struct snp *snp, struct gmi_kvm_sev_snp_launch_update *args)
{
	return op(&snp->sev, GMI_KVM_SEV_SNP_LAUNCH_UPDATE, args);
}

#define EXPECT_UPDATE(row, snp, args, ret, status)                                                 \
	do {                                                                                       \
		EXPECT_CASE(row, "LAUNCH_UPDATE", update(snp, args), ret);                         \
		EXPECT_CASE(row, "error after LAUNCH_UPDATE", (snp)->sev.error, status);           \
	} while (0)

static struct gmi_kvm_sev_snp_launch_update one_page(struct snp *snp, uint64_t page, uint8_t type)
{
	return (struct gmi_kvm_sev_snp_launch_update){
		.gfn_start = GPA / GT_PAGE + page,
		.uaddr = (uintptr_t)snp->source,
		.len = GT_PAGE,
		.type = type,
	};
}

#define NORMAL GMI_KVM_SEV_SNP_PAGE_TYPE_NORMAL
#define ZERO   GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO
#define CPUID  GMI_KVM_SEV_SNP_PAGE_TYPE_CPUID

static void update_arguments(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_update args;
	struct snp snp;

	snp_open(t, &snp);
	EXPECT_OP("14 UPDATE no START", &snp.sev, GMI_KVM_SEV_SNP_LAUNCH_UPDATE,
		  unmapped_address(t), -EINVAL, KEPT);
	MUST(gt_snp_start(&snp.sev, GT_SNP_POLICY) == 0);
	EXPECT_OP("14 UPDATE struct", &snp.sev, GMI_KVM_SEV_SNP_LAUNCH_UPDATE, unmapped_address(t),
		  -EFAULT, KEPT);
	args = one_page(&snp, 0, NORMAL);
	args.len = 0;
	EXPECT_UPDATE("14 UPDATE len 0", &snp, &args, -EINVAL, KEPT);
	args.len = GT_PAGE + 1;
	EXPECT_UPDATE("14 UPDATE len unaligned", &snp, &args, -EINVAL, KEPT);
	args = one_page(&snp, 0, NORMAL);
	args.flags = 1;
	EXPECT_UPDATE("14 UPDATE flags", &snp, &args, -EINVAL, KEPT);
	for (int type = 0; type < 256; type++) {
		args = one_page(&snp, 0, (uint8_t)type);
		if (type != NORMAL && (type < ZERO || type > CPUID))
			EXPECT_UPDATE("14 UPDATE type", &snp, &args, -EINVAL, KEPT);
	}
	args = one_page(&snp, 0, NORMAL);
	args.uaddr++;
	EXPECT_UPDATE("14 UPDATE uaddr unaligned", &snp, &args, -EINVAL, KEPT);
	args = one_page(&snp, PAGES, NORMAL);
	EXPECT_UPDATE("14 UPDATE no slot", &snp, &args, -EINVAL, KEPT);
	args.gfn_start = UINT64_MAX;
	EXPECT_UPDATE("14 UPDATE no slot", &snp, &args, -EINVAL, KEPT);
	SAME("14 UPDATE struct unchanged", args.len, GT_PAGE);
	snp_close(&snp);
}

/* Without conversion in place there has to be a source. */
static void update_source_missing(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_update args;
	struct snp snp;

	snp_open_started(t, &snp);
	REQUIRE(gt_cap(t, snp.sev.kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) <= 0,
		"with conversion in place a source may be missing");
	args = one_page(&snp, 0, NORMAL);
	args.uaddr = 0;
	EXPECT_UPDATE("14 UPDATE uaddr 0", &snp, &args, -EINVAL, KEPT);
	args.gfn_start = 0;
	EXPECT_UPDATE("14 UPDATE uaddr 0", &snp, &args, -EINVAL, KEPT);
	snp_close(&snp);
}

/* Any reason that strikes at the first page is EIO; the firmware's status is 0 unless it refused. */
static void update_first_page(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_update args;
	struct snp snp;
	int fd;

	snp_open_started(t, &snp);
	args = one_page(&snp, 0, NORMAL);
	args.uaddr = (uintptr_t)unmapped_address(t);
	EXPECT_UPDATE("14 UPDATE source", &snp, &args, -EIO, 0);
	MUST(mprotect(snp.source, GT_PAGE, PROT_READ) == 0);
	args = one_page(&snp, 0, CPUID);
	EXPECT_UPDATE("14 UPDATE CPUID not writable", &snp, &args, -EIO, 0);
	MUST(mprotect(snp.source, GT_PAGE, PROT_READ | PROT_WRITE) == 0);
	MUST(set_private(&snp, 0, GT_PAGE, false) == 0);
	args = one_page(&snp, 0, NORMAL);
	EXPECT_UPDATE("14 UPDATE not PRIVATE", &snp, &args, -EIO, 0);
	MUST(set_private(&snp, 0, GT_PAGE, true) == 0);
	fd = snp.sev.sev;
	snp.sev.sev = -1;
	EXPECT_UPDATE("14 UPDATE sev_fd", &snp, &args, -EIO, 0);
	snp.sev.sev = fd;
	SAME("14 UPDATE struct unchanged", args.len, GT_PAGE);
	EXPECT_UPDATE("14 UPDATE after all that", &snp, &args, 0, KEPT);
	args = one_page(&snp, 0, NORMAL);
	EXPECT_UPDATE("14 UPDATE assigned", &snp, &args, -EIO, 0);
	MUST(gt_punch(t, snp.file, 0, GT_PAGE) == 0);
	EXPECT_UPDATE("3 punched pages are shared", &snp, &args, 0, KEPT);
	gt_close(t, snp.file);
	snp.file = -1;
	args = one_page(&snp, 1, NORMAL);
	EXPECT_UPDATE("14 UPDATE file closed", &snp, &args, -EIO, 0);
	snp_close(&snp);
}

static void update_progress(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_update args, *readonly;
	struct snp snp;

	snp_open_started(t, &snp);
	args = one_page(&snp, 2, NORMAL);
	MUST(update(&snp, &args) == 0);
	SAME("14 UPDATE success", args.len, 0);
	args = one_page(&snp, 0, NORMAL);
	args.len = 4 * GT_PAGE;
	EXPECT_UPDATE("14 UPDATE later page", &snp, &args, 0, KEPT);
	SAME("14 UPDATE later page", args.len, 2 * GT_PAGE);
	SAME("14 UPDATE later page", args.gfn_start, GPA / GT_PAGE + 2);
	SAME("14 UPDATE later page", args.uaddr - (uintptr_t)snp.source, 2 * GT_PAGE);
	EXPECT_UPDATE("14 UPDATE assigned", &snp, &args, -EIO, 0);
	args = one_page(&snp, 4, ZERO);
	args.uaddr = 1;
	EXPECT_UPDATE("14 UPDATE ZERO", &snp, &args, 0, KEPT);
	SAME("14 UPDATE ZERO uaddr", args.uaddr, 1);
	args = one_page(&snp, 6, NORMAL);
	args.len = 4 * GT_PAGE;
	EXPECT_UPDATE("2.4 cut at the slot's end", &snp, &args, 0, KEPT);
	SAME("2.4 cut at the slot's end", args.len, 2 * GT_PAGE);
	EXPECT_UPDATE("14 UPDATE no slot", &snp, &args, -EINVAL, KEPT);
	readonly = gt_anonymous(t, GT_PAGE);
	*readonly = one_page(&snp, 5, NORMAL);
	MUST(mprotect(readonly, GT_PAGE, PROT_READ) == 0);
	EXPECT_UPDATE("14 UPDATE struct not writable", &snp, readonly, -EFAULT, KEPT);
	args = one_page(&snp, 5, NORMAL);
	EXPECT_UPDATE("14 UPDATE pages are done", &snp, &args, -EIO, 0);
	gt_unmap(t, readonly, GT_PAGE);
	snp_close(&snp);
}

/* A table that the firmware corrects is refused, handed back, and taken then. */
static void update_cpuid(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_update args;
	struct gmi_snp_cpuid_page *table;
	struct snp snp;

	snp_open_started(t, &snp);
	table = (void *)snp.source;
	memset(table, 0, sizeof(*table));
	table->count = 65;
	args = one_page(&snp, 0, CPUID);
	EXPECT_UPDATE("6 count", &snp, &args, -EIO, GMI_SEV_RET_INVALID_PARAM);
	SAME("6 count: not rewritten", table->count, 65);
	table->count = 1;
	table->entries[0] =
		(struct gmi_snp_cpuid_entry){.eax_in = 7, .ebx = 1, .edx = 1u << 31 /* SSBD */};
	EXPECT_UPDATE("14 UPDATE CPUID", &snp, &args, -EIO, GMI_SEV_RET_INVALID_PARAM);
	SAME("14 UPDATE CPUID: rewritten", table->entries[0].edx, 0);
	SAME("14 UPDATE CPUID: rewritten", table->entries[0].ebx, 1);
	EXPECT_UPDATE("6 again", &snp, &args, 0, KEPT);
	memcpy(table + 1, table, sizeof(*table));
	table[1].entries[0].edx = 1u << 31;
	args = one_page(&snp, 1, CPUID);
	args.len = 2 * GT_PAGE;
	EXPECT_UPDATE("14 UPDATE CPUID of a later page", &snp, &args, 0, KEPT);
	SAME("14 UPDATE CPUID of a later page", args.len, GT_PAGE);
	SAME("14 UPDATE CPUID of a later page", table[1].entries[0].edx, 0);
	snp_close(&snp);
}

static int finish(struct snp *snp, struct gmi_kvm_sev_snp_launch_finish *args)
{
	return op(&snp->sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH, args);
}

#define EXPECT_FINISH(row, snp, args, ret, status)                                                 \
	do {                                                                                       \
		EXPECT_CASE(row, "LAUNCH_FINISH", finish(snp, args), ret);                         \
		EXPECT_CASE(row, "error after LAUNCH_FINISH", (snp)->sev.error, status);           \
	} while (0)

static void finish_arguments(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_finish args = {.flags = 1};
	struct snp snp;

	snp_open(t, &snp);
	EXPECT_OP("14 FINISH no START", &snp.sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH,
		  unmapped_address(t), -EINVAL, KEPT);
	MUST(gt_snp_start(&snp.sev, GT_SNP_POLICY) == 0);
	EXPECT_OP("14 FINISH struct", &snp.sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH, unmapped_address(t),
		  -EFAULT, KEPT);
	EXPECT_FINISH("14 FINISH flags", &snp, &args, -EINVAL, KEPT);
	snp_close(&snp);
}

/* Without vCPUs nothing is protected, and FINISH may be tried again. */
static void finish_id_block(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_finish args = {.id_block_en = 1};
	struct gmi_snp_id_block block = {.version = 1};
	struct snp snp;

	snp_open_started(t, &snp);
	EXPECT_FINISH("14 FINISH ID block 0", &snp, &args, -EINVAL, KEPT);
	args.id_block_uaddr = (uintptr_t)unmapped_address(t);
	EXPECT_FINISH("14 FINISH ID block", &snp, &args, -EFAULT, KEPT);
	args.id_block_uaddr = (uintptr_t)&block;
	EXPECT_FINISH("14 FINISH ID auth 0", &snp, &args, -EINVAL, KEPT);
	args.id_auth_uaddr = (uintptr_t)unmapped_address(t);
	EXPECT_FINISH("14 FINISH ID auth", &snp, &args, -EFAULT, KEPT);
	args.id_auth_uaddr = (uintptr_t)snp.source;
	block.launch_digest[0] = 1;
	EXPECT_FINISH("2.5 digest", &snp, &args, -EIO, GMI_SEV_RET_BAD_MEASUREMENT);
	args = (struct gmi_kvm_sev_snp_launch_finish){.id_auth_uaddr = 1, .auth_key_en = 1};
	memset(args.pad0, 0xff, sizeof(args.pad0));
	EXPECT_FINISH("14 FINISH success", &snp, &args, 0, 0);
	EXPECT_FINISH("2.5 a second one", &snp, &args, -EIO, GMI_SEV_RET_INVALID_GUEST_STATE);
	snp_close(&snp);
}

static int debug_dr7(const struct gt *t, int vcpu, uint64_t dr7)
{
	uint64_t regs[16];
	int ret = gt_ioctl(t, vcpu, GMI_KVM_GET_DEBUGREGS, regs);

	regs[5] = dr7;
	return ret ? ret : gt_ioctl(t, vcpu, GMI_KVM_SET_DEBUGREGS, regs);
}

/* A vCPU that was measured stays so, whatever comes after. */
static void finish_vcpus(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_finish args = {0};
	struct snp snp;
	int fd;

	snp_open_started(t, &snp);
	MUST(gt_sev_add_vcpu(&snp.sev, 0, 0) >= 0);
	MUST(gt_sev_add_vcpu(&snp.sev, 0, 0) >= 0);
	MUST(debug_dr7(t, snp.sev.vcpu[0], 0x401) == 0);
	EXPECT_FINISH("14 FINISH DR7", &snp, &args, -EINVAL, KEPT);
	MUST(debug_dr7(t, snp.sev.vcpu[0], 0x400) == 0);
	fd = snp.sev.sev;
	snp.sev.sev = -1;
	EXPECT_FINISH("14 FINISH sev_fd", &snp, &args, -EBADF, KEPT);
	snp.sev.sev = fd;
	MUST(debug_dr7(t, snp.sev.vcpu[1], 0x401) == 0);
	EXPECT_FINISH("14 FINISH DR7 of the second", &snp, &args, -EINVAL, 0);
	MUST(debug_dr7(t, snp.sev.vcpu[1], 0x400) == 0);
	EXPECT_FINISH("14 FINISH protected", &snp, &args, -EINVAL, KEPT);
	snp_close(&snp);
}

/* FINISH uses the number of START: what is open there now. */
static void finish_stored_fd(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_finish args = {0};
	struct snp snp;
	int fd;

	snp_open_started(t, &snp);
	fd = t->ops->dup(t->user, snp.sev.sev);
	MUST(fd >= 0);
	gt_close(t, snp.sev.sev);
	snp.sev.sev = fd;
	EXPECT_FINISH("14 FINISH fd of START", &snp, &args, -EBADF, KEPT);
	snp_close(&snp);
}

static void after_finish(struct gt *t)
{
	struct gmi_kvm_sev_snp_launch_finish args = {0};
	struct gmi_kvm_sev_snp_launch_update page;
	uint64_t gpa = GPA, size = GT_PAGE, regs[64], fpu[64];
	struct snp snp;
	int vcpu;

	snp_open_started(t, &snp);
	vcpu = gt_sev_add_vcpu(&snp.sev, 0, 0);
	MUST(vcpu >= 0);
	EXPECT("14 PRE_FAULT before FINISH", gt_pre_fault(t, vcpu, &gpa, &size), -EOPNOTSUPP);
	EXPECT_FINISH("14 FINISH success", &snp, &args, 0, 0);
	EXPECT_FINISH("14 FINISH protected", &snp, &args, -EINVAL, KEPT);
	EXPECT("2.5 PRE_FAULT", gt_pre_fault(t, vcpu, &gpa, &size), 0);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_GET_REGS, regs), -EINVAL);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_SET_REGS, regs), -EINVAL);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_GET_SREGS, regs), -EINVAL);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_GET_SREGS2, regs), -EINVAL);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_GET_DEBUGREGS, regs), -EINVAL);
	EXPECT("2.5 protected", gt_ioctl(t, vcpu, GMI_KVM_GET_XCRS, regs), -EINVAL);
	EXPECT("2.5 FPU of SNP", gt_ioctl(t, vcpu, GMI_KVM_GET_FPU, fpu), 0);
	page = one_page(&snp, 3, NORMAL);
	EXPECT_UPDATE("2.4 after FINISH", &snp, &page, -EIO, GMI_SEV_RET_INVALID_GUEST_STATE);
	page = one_page(&snp, 0, NORMAL);
	EXPECT_UPDATE("2.4 faulted in", &snp, &page, -EIO, 0);
	snp_close(&snp);
}

static void certificates(struct gt *t)
{
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	SAME("2.6 REQ_CERTS", attribute(&sev, GMI_KVM_X86_SEV_SNP_REQ_CERTS), 1);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT_OP("14 REQ_CERTS", &sev, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, 0, KEPT);
	EXPECT_OP("14 REQ_CERTS again", &sev, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, unmapped_address(t),
		  0, KEPT);
	MUST(gt_sev_add_vcpu(&sev, 0, 0) >= 0);
	EXPECT_OP("14 REQ_CERTS vCPU", &sev, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, -EINVAL, KEPT);
	EXPECT("14 TSC_KHZ vCPU", gt_ioctl_number(t, sev.vm, GMI_KVM_SET_TSC_KHZ, 1000000),
	       -EINVAL);
	gt_sev_close(&sev);
}

static void attributes(struct gt *t)
{
	struct gmi_kvm_device_attr args = {.group = GMI_KVM_X86_GRP_SEV};
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	EXPECT("14 dev attribute struct",
	       gt_ioctl(t, sev.kvm, GMI_KVM_GET_DEVICE_ATTR, unmapped_address(t)), -EFAULT);
	args.attr = 3;
	EXPECT("14 dev attribute", gt_ioctl(t, sev.kvm, GMI_KVM_GET_DEVICE_ATTR, &args), -ENXIO);
	EXPECT("14 dev attribute", gt_ioctl(t, sev.kvm, GMI_KVM_HAS_DEVICE_ATTR, &args), -ENXIO);
	args.attr = 0;
	args.group = 2;
	EXPECT("14 dev attribute", gt_ioctl(t, sev.kvm, GMI_KVM_GET_DEVICE_ATTR, &args), -ENXIO);
	args.group = GMI_KVM_X86_GRP_SEV;
	args.addr = (uintptr_t)unmapped_address(t);
	EXPECT("14 dev attribute addr", gt_ioctl(t, sev.kvm, GMI_KVM_GET_DEVICE_ATTR, &args),
	       -EFAULT);
	EXPECT("14 dev attribute addr", gt_ioctl(t, sev.kvm, GMI_KVM_HAS_DEVICE_ATTR, &args), 0);
	SAME("2.6 features",
	     attribute(&sev, GMI_KVM_X86_SEV_VMSA_FEATURES) & GMI_SEV_FEATURE_SNP_ACTIVE, 0);
	SAME("2.3 policy", attribute(&sev, GMI_KVM_X86_SNP_POLICY_BITS) & GMI_SNP_POLICY_MIGRATE_MA,
	     0);
	gt_sev_close(&sev);
}

static void regions(struct gt *t)
{
	struct gmi_kvm_enc_region region = {0};
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	EXPECT("3 REG_REGION pointer",
	       gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, unmapped_address(t)),
	       -EFAULT);
	EXPECT("3 REG_REGION no guest",
	       gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region), -ENOTTY);
	MUST(gt_sev_init2(&sev, 0) == 0);
	EXPECT("3 REG_REGION size 0",
	       gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region), -EINVAL);
	region = (struct gmi_kvm_enc_region){.addr = UINT64_MAX, .size = 2};
	EXPECT("3 REG_REGION wrap", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region),
	       -EINVAL);
	EXPECT("3 UNREG_REGION unknown",
	       gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_UNREG_REGION, &region), -EINVAL);
	region.addr = (uintptr_t)gt_anonymous(t, GT_PAGE);
	region.size = GT_PAGE;
	EXPECT("3 REG_REGION", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_REG_REGION, &region), 0);
	EXPECT("3 UNREG_REGION", gt_ioctl(t, sev.vm, GMI_KVM_MEMORY_ENCRYPT_UNREG_REGION, &region),
	       0);
	gt_unmap(t, (void *)(uintptr_t)region.addr, GT_PAGE);
	gt_sev_close(&sev);
}

static const struct gt_test tests[] = {
	GT_TEST(dispatch),          GT_TEST(before_init2),     GT_TEST(init2_arguments),
	GT_TEST(init2_order),       GT_TEST(init2_sev),        GT_TEST(start_arguments),
	GT_TEST(start_firmware),    GT_TEST(update_arguments), GT_TEST(update_source_missing),
	GT_TEST(update_first_page), GT_TEST(update_progress),  GT_TEST(update_cpuid),
	GT_TEST(finish_arguments),  GT_TEST(finish_id_block),  GT_TEST(finish_vcpus),
	GT_TEST(finish_stored_fd),  GT_TEST(after_finish),     GT_TEST(certificates),
	GT_TEST(attributes),        GT_TEST(regions),
};

GT_MAIN(tests)
