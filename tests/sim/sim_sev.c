/* SPDX-License-Identifier: MIT */
/* The simulated secure processor: its limits, what fails at wish, and guests that run. */
#include <libgmem/sim.h>
#include <nettle/sha2.h>

#include "gt_snp.h"
#include "id_signer.h"
#include "uapi_rfc.h"

#define SAME(row, got, want)                                                                       \
	gt_expect(__FILE__, __LINE__, row, #got, (int64_t)(got), (int64_t)(want))

#define SNP    GMI_KVM_X86_SNP_VM
#define GPA    UINT64_C(0x10000000)
#define PAGES  8
#define SIZE   (PAGES * GT_PAGE)
#define NORMAL GMI_KVM_SEV_SNP_PAGE_TYPE_NORMAL

/* An SNP guest with one slot and one vCPU. */
struct guest {
	struct gt_sev sev;
	int file;
	uint8_t *source;
	uint8_t *backing;
	struct gmi_kvm_run *run;
};

static int convert(struct guest *guest, uint64_t offset, uint64_t size, uint64_t attributes)
{
	struct gmi_next_memory_attributes2 args = {
		.offset = offset, .size = size, .attributes = attributes};
	const struct gt *t = guest->sev.t;

	if (gt_cap(t, guest->sev.kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0)
		return gt_ioctl(t, guest->file, GMI_NEXT_SET_MEMORY_ATTRIBUTES2, &args);
	return gt_set_attributes(t, guest->sev.vm, GPA + offset, size, attributes);
}

static void guest_bind(struct guest *guest, uint64_t flags)
{
	const struct gt *t = guest->sev.t;
	void *run;

	guest->file = gt_create_gmem(t, guest->sev.vm, SIZE, flags);
	MUST(guest->file >= 0);
	guest->source = gt_anonymous(t, SIZE);
	guest->backing = gt_anonymous(t, SIZE);
	memset(guest->source, 0x5c, SIZE);
	MUST(gt_bind(t, guest->sev.vm, 0, GPA, SIZE, guest->backing, guest->file, 0) == 0);
	MUST(gt_sev_add_vcpu(&guest->sev, 0xa00f11, 0) >= 0);
	MUST(gt_map(t, guest->sev.vcpu[0], 0, 3 * GT_PAGE, &run) == 0);
	guest->run = run;
}

/* Up to LAUNCH_START, all private. */
static void guest_open(struct gt *t, struct guest *ret_guest, bool certs)
{
	*ret_guest = (struct guest){.file = -1};
	gt_sev_open(t, SNP, &ret_guest->sev);
	MUST(gt_sev_init2(&ret_guest->sev, 0) == 0);
	if (certs)
		MUST(gt_sev_op(&ret_guest->sev, GMI_KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL) == 0);
	MUST(gt_snp_start(&ret_guest->sev, GT_SNP_POLICY) == 0);
	guest_bind(ret_guest, 0);
	MUST(convert(ret_guest, 0, SIZE, GT_PRIVATE) == 0);
}

static void guest_close(struct guest *guest)
{
	const struct gt *t = guest->sev.t;

	gt_unmap(t, guest->run, 3 * GT_PAGE);
	gt_unmap(t, guest->source, SIZE);
	gt_unmap(t, guest->backing, SIZE);
	gt_close(t, guest->file);
	gt_sev_close(&guest->sev);
}

static int load(struct guest *guest, uint64_t page, uint64_t pages, uint8_t type)
{
	guest->sev.error = 0x5a;
	return gt_snp_load(&guest->sev, GPA + page * GT_PAGE, guest->source, pages * GT_PAGE, type);
}

/* One command for @pages from the first on; gives what is left. */
static int load_once(struct guest *guest, uint64_t pages, uint64_t *ret_left)
{
	struct gmi_kvm_sev_snp_launch_update update = {
		.gfn_start = GPA / GT_PAGE,
		.uaddr = (uintptr_t)guest->source,
		.len = pages * GT_PAGE,
		.type = NORMAL,
	};
	int ret = gt_snp_update(&guest->sev, &update);

	*ret_left = update.len / GT_PAGE;
	return ret;
}

static int run(const struct guest *guest)
{
	return gt_ioctl(guest->sev.t, guest->sev.vcpu[0], GMI_KVM_RUN, NULL);
}

static void script(const struct guest *guest, const struct gmem_sim_action *actions, size_t count)
{
	MUST(gmem_sim_vcpu_script(guest->sev.t->sim, guest->sev.vcpu[0], actions, count) == 0);
}

static struct gmem_sim_vcpu_info info(const struct guest *guest)
{
	struct gmem_sim_vcpu_info result = {.sz = sizeof(result)};

	MUST(gmem_sim_vcpu_get_info(guest->sev.t->sim, guest->sev.vcpu[0], &result) == 0);
	return result;
}

static struct gmem_sim_sev machine(const struct gt *t)
{
	struct gmem_sim_sev result = {.sz = sizeof(result)};

	MUST(gmem_sim_get_sev(t->sim, &result) == 0);
	return result;
}

static void asids(struct gt *t)
{
	struct gmem_sim_sev sev = machine(t);
	struct gt_sev a, b;

	sev.es_asids = 1;
	MUST(gmem_sim_set_sev(t->sim, &sev) == 0);
	gt_sev_open(t, SNP, &a);
	gt_sev_open(t, SNP, &b);
	SAME("first", gt_sev_init2(&a, 0), 0);
	SAME("second", gt_sev_init2(&b, 0), -EBUSY);
	gt_sev_close(&a);
	SAME("freed", gt_sev_init2(&b, 0), 0);
	SAME("start", gt_snp_start(&b, GT_SNP_POLICY), 0);
	SAME("guests", gmem_sim_set_sev(t->sim, &sev), -EBUSY);
	gt_sev_close(&b);
	sev.es_asids = 0;
	SAME("no guests", gmem_sim_set_sev(t->sim, &sev), 0);
}

/* A type without ASIDs is not offered; the commands before INIT2 know no types. */
static void asid_ranges(struct gt *t)
{
	struct gmem_sim_sev sev = machine(t);
	struct gt_sev a;

	sev.es_asids = 4;
	sev.snp_asids = 4;
	sev.sev_asids = 0;
	MUST(gmem_sim_set_sev(t->sim, &sev) == 0);
	gt_sev_open(t, GMI_KVM_X86_DEFAULT_VM, &a);
	SAME("SNP alone", gt_cap(t, a.kvm, GMI_KVM_CAP_VM_TYPES), 3 | 1 << SNP);
	a.error = 0x5a;
	SAME("no range", gt_sev_op(&a, GMI_KVM_SEV_INIT, NULL), -ENOTTY);
	SAME("no range", gt_sev_op(&a, GMI_KVM_SEV_ES_INIT, NULL), -ENOTTY);
	SAME("no range", a.error, 0x5a);
	sev.es_asids = sev.snp_asids = 0;
	sev.sev_asids = 1;
	MUST(gmem_sim_set_sev(t->sim, &sev) == 0);
	SAME("SEV alone", gt_cap(t, a.kvm, GMI_KVM_CAP_VM_TYPES), 3 | 1 << GMI_KVM_X86_SEV_VM);
	SAME("ES is off", gt_sev_op(&a, GMI_KVM_SEV_ES_INIT, NULL), -ENOTTY);
	SAME("SEV", gt_sev_op(&a, GMI_KVM_SEV_INIT, NULL), 0);
	gt_sev_close(&a);
	sev.snp_asids = 1;
	SAME("more than there are", gmem_sim_set_sev(t->sim, &sev), -EINVAL);
}

static void switched_off(struct gt *t)
{
	struct gmem_sim_sev sev = machine(t);
	int kvm = gt_open_kvm(t);
	int vm;

	sev.flags = GMEM_SIM_SEV_OFF;
	MUST(kvm >= 0 && gmem_sim_set_sev(t->sim, &sev) == 0);
	SAME("types", gt_cap(t, kvm, GMI_KVM_CAP_VM_TYPES), 3);
	SAME("type", gt_create_vm(t, kvm, SNP), -EINVAL);
	vm = gt_create_vm(t, kvm, GMI_KVM_X86_DEFAULT_VM);
	SAME("command", gt_ioctl(t, vm, GMI_KVM_MEMORY_ENCRYPT_OP, NULL), -ENOTTY);
	gt_close(t, vm);
	gt_close(t, kvm);
	sev.sz--;
	SAME("size", gmem_sim_set_sev(t->sim, &sev), -EINVAL);
	SAME("size", gmem_sim_get_sev(t->sim, &sev), -EINVAL);
	SAME("status", gmem_sim_sev_fail(t->sim, GMEM_SIM_SEV_INIT, 0, 0), -EINVAL);
}

/* SMT in the host and several sockets are the guest's business too. */
static void policies(struct gt *t)
{
	struct gmem_sim_sev sev = machine(t);
	struct gt_sev a;

	sev.flags = GMEM_SIM_SEV_SMT | GMEM_SIM_SEV_SOCKETS;
	MUST(gmem_sim_set_sev(t->sim, &sev) == 0);
	gt_sev_open(t, SNP, &a);
	MUST(gt_sev_init2(&a, 0) == 0);
	SAME("SMT", gt_snp_start(&a, GMI_SNP_POLICY_RESERVED_ONE), -EIO);
	SAME("SMT", a.error, GMI_SEV_RET_POLICY_FAILURE);
	SAME("socket", gt_snp_start(&a, GT_SNP_POLICY | GMI_SNP_POLICY_SINGLE_SOCKET), -EIO);
	SAME("socket", a.error, GMI_SEV_RET_POLICY_FAILURE);
	SAME("newer", gt_snp_start(&a, GT_SNP_POLICY | sev.api_major << 8 | (sev.api_minor + 1)),
	     -EIO);
	SAME("newer", a.error, GMI_SEV_RET_POLICY_FAILURE);
	SAME("as new", gt_snp_start(&a, GT_SNP_POLICY | sev.api_major << 8 | sev.api_minor), 0);
	gt_sev_close(&a);
}

static void init_fails(struct gt *t)
{
	struct gt_sev a;

	gt_sev_open(t, SNP, &a);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SEV_INIT, 0, GMI_SEV_RET_RESOURCE_LIMIT) == 0);
	SAME("init", gt_sev_init2(&a, 0), -EIO);
	SAME("init", a.error, GMI_SEV_RET_RESOURCE_LIMIT);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SEV_INIT, 0, GMEM_SIM_SEV_TIMEOUT) == 0);
	SAME("timeout", gt_sev_init2(&a, 0), -ETIMEDOUT);
	SAME("timeout", a.error, 0);
	SAME("dead", gt_sev_init2(&a, 0), -EBUSY);
	SAME("dead", a.error, GMI_SEV_RET_NO_FW_CALL);
	gt_sev_close(&a);
}

/* A START that failed may be repeated, unless the context could not be given back. */
static void start_fails(struct gt *t)
{
	struct gt_sev a;

	gt_sev_open(t, SNP, &a);
	MUST(gt_sev_init2(&a, 0) == 0);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_GCTX_CREATE, 0, 0x17) == 0);
	SAME("context", gt_snp_start(&a, GT_SNP_POLICY), -ENOTTY);
	SAME("context", a.error, 0x17);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_START, 0, 0x11) == 0);
	SAME("start", gt_snp_start(&a, GT_SNP_POLICY), -EIO);
	SAME("start", a.error, 0x11);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_ACTIVATE, 0, 0x0e) == 0);
	SAME("activate", gt_snp_start(&a, GT_SNP_POLICY), -EIO);
	SAME("activate", a.error, 0x0e);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_DECOMMISSION, 0, 0x12) == 0);
	SAME("refused", gt_snp_start(&a, GT_SNP_POLICY | 0xffff), -EIO);
	SAME("context stays", gt_snp_start(&a, GT_SNP_POLICY), -EINVAL);
	gt_sev_close(&a);
}

static void update_fails(struct gt *t)
{
	struct guest guest;
	uint64_t left;

	guest_open(t, &guest, false);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 0, 0x1a) == 0);
	SAME("first page", load_once(&guest, 4, &left), -EIO);
	SAME("first page", guest.sev.error, 0x1a);
	SAME("first page", left, 4);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 2, 0x1a) == 0);
	SAME("third page", load_once(&guest, 4, &left), 0);
	SAME("third page", left, 2);
	MUST(gmem_sim_interrupt_after(t->sim, 0) == 0);
	SAME("signal", load(&guest, 2, 2, NORMAL), -EIO);
	SAME("signal", guest.sev.error, 0);
	SAME("again", load(&guest, 2, 2, NORMAL), 0);
	MUST(gmem_sim_poison(t->sim, guest.file, 4 * GT_PAGE, GT_PAGE) == 0);
	SAME("poison", load(&guest, 4, 1, NORMAL), -EIO);
	SAME("poison", guest.sev.error, 0);
	guest_close(&guest);
}

/* A page that does not come back from the firmware takes the VM with it. */
/* vCPUs before the one that failed stay protected, and in the way of another try. */
static void finish_fails(struct gt *t)
{
	struct guest guest;

	guest_open(t, &guest, false);
	MUST(gt_sev_add_vcpu(&guest.sev, 0, 0) >= 0);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 1, 0x1a) == 0);
	SAME("second vCPU", gt_snp_finish(&guest.sev), -EIO);
	SAME("second vCPU", guest.sev.error, 0x1a);
	SAME("again", gt_snp_finish(&guest.sev), -EINVAL);
	guest_close(&guest);
	guest_open(t, &guest, false);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_FINISH, 0, 0x17) == 0);
	SAME("end", gt_snp_finish(&guest.sev), -EIO);
	SAME("end", guest.sev.error, 0x17);
	SAME("again", gt_snp_finish(&guest.sev), -EINVAL);
	guest_close(&guest);
}

/* Nor does a page come back from a processor that is dead. */
static void dead_processor(struct gt *t)
{
	struct guest guest;
	struct gt_sev next;

	guest_open(t, &guest, false);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_LAUNCH_UPDATE, 0, GMEM_SIM_SEV_TIMEOUT) == 0);
	SAME("timeout", load(&guest, 0, 1, NORMAL), -EIO);
	SAME("timeout", guest.sev.error, 0);
	SAME("dead VM", gt_snp_finish(&guest.sev), -EIO);
	guest_close(&guest);
	gt_sev_open(t, SNP, &next);
	SAME("next VM", gt_sev_init2(&next, 0), 0);
	SAME("next VM", gt_snp_start(&next, GT_SNP_POLICY), -ENOTTY);
	gt_sev_close(&next);
}

static void dead_guest(struct gt *t)
{
	struct guest guest;
	int sev;

	guest_open(t, &guest, false);
	MUST(gmem_sim_sev_fail(t->sim, GMEM_SIM_SNP_PAGE_RECLAIM, 0, 0x1a) == 0);
	sev = guest.sev.sev;
	guest.sev.sev = -1;
	SAME("reclaim", load(&guest, 0, 1, NORMAL), -EIO);
	guest.sev.sev = sev;
	SAME("dead", load(&guest, 1, 1, NORMAL), -EIO);
	SAME("dead", guest.sev.error, 0x5a);
	SAME("dead", gt_cap(t, guest.sev.vm, GMI_KVM_CAP_VM_TYPES), -EIO);
	SAME("dead", run(&guest), -EIO);
	guest_close(&guest);
}

/* Before FINISH no vCPU enters; what was put in is what the guest then finds. */
static void contents(struct gt *t)
{
	static uint8_t read[4 * GT_PAGE];
	const struct gmem_sim_action actions[] = {
		{.op = GMEM_SIM_READ,
		 .addr = GPA,
		 .size = sizeof(read),
		 .out = read,
		 .flags = GMEM_SIM_AS_PRIVATE},
		{.op = GMEM_SIM_FILL,
		 .addr = GPA + 4 * GT_PAGE,
		 .size = GT_PAGE,
		 .value = 1,
		 .flags = GMEM_SIM_AS_PRIVATE},
	};
	struct gmi_snp_secrets_page *secrets = (void *)(read + 2 * GT_PAGE);
	struct guest guest;

	guest_open(t, &guest, false);
	script(&guest, actions, GT_COUNT(actions));
	SAME("normal", load(&guest, 0, 1, NORMAL), 0);
	SAME("zero", load(&guest, 1, 1, GMI_KVM_SEV_SNP_PAGE_TYPE_ZERO), 0);
	SAME("secrets", load(&guest, 2, 1, GMI_KVM_SEV_SNP_PAGE_TYPE_SECRETS), 0);
	SAME("unmeasured", load(&guest, 3, 1, GMI_KVM_SEV_SNP_PAGE_TYPE_UNMEASURED), 0);
	SAME("early", run(&guest), 0);
	SAME("early", guest.run->exit_reason, GMI_KVM_EXIT_FAIL_ENTRY);
	SAME("finish", gt_snp_finish(&guest.sev), 0);
	SAME("run", run(&guest), 0);
	SAME("run", guest.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("normal", memcmp(read, guest.source, GT_PAGE), 0);
	SAME("zero", read[GT_PAGE], 0);
	SAME("secrets", secrets->version && secrets->vmpck[0][0], true);
	SAME("unmeasured", memcmp(read + 3 * GT_PAGE, guest.source, GT_PAGE), 0);
	guest_close(&guest);
}

/* Pages that a guest says are shared, or asks for, come out as for every confidential VM. */
static void page_states(struct gt *t)
{
	const struct gmem_sim_action actions[] = {
		{.op = GMEM_SIM_READ, .addr = GPA, .size = 8, .flags = GMEM_SIM_AS_SHARED},
		{.op = GMEM_SIM_HYPERCALL, .value = GMI_KVM_HC_MAP_GPA_RANGE, .args = {GPA, 1, 16}},
	};
	struct guest guest;

	guest_open(t, &guest, false);
	MUST(gt_enable_cap(t, guest.sev.vm, GMI_KVM_CAP_EXIT_HYPERCALL,
			   1 << GMI_KVM_HC_MAP_GPA_RANGE) == 0);
	MUST(gt_snp_finish(&guest.sev) == 0);
	script(&guest, actions, GT_COUNT(actions));
	SAME("mismatch", run(&guest), -EFAULT);
	SAME("mismatch", guest.run->exit_reason, GMI_KVM_EXIT_MEMORY_FAULT);
	SAME("mismatch", guest.run->memory_fault.flags, 0);
	MUST(convert(&guest, 0, GT_PAGE, 0) == 0);
	SAME("change", run(&guest), 0);
	SAME("change", guest.run->exit_reason, GMI_KVM_EXIT_HYPERCALL);
	SAME("change", guest.run->hypercall.flags, 0);
	SAME("change", guest.run->hypercall.ret, 0);
	guest.run->hypercall.ret = EPERM;
	SAME("bad answer", run(&guest), -EINVAL);
	script(&guest, actions + 1, 1);
	MUST(run(&guest) == 0);
	guest.run->hypercall.ret = EINVAL;
	SAME("refused", run(&guest), 0);
	SAME("refused", info(&guest).hypercall_result, EINVAL);
	guest_close(&guest);
}

/* A guest that gives up says why; a vCPU that came after FINISH has no state to enter with. */
static void endings(struct gt *t)
{
	const struct gmem_sim_action actions[] = {
		{.op = GMEM_SIM_TERMINATE, .value = 0x1100},
		{.op = GMEM_SIM_HALT},
	};
	struct guest guest;
	struct gmi_kvm_run *late;
	void *map;
	int vcpu;

	guest_open(t, &guest, false);
	MUST(gt_snp_finish(&guest.sev) == 0);
	script(&guest, actions, GT_COUNT(actions));
	SAME("terminate", run(&guest), 0);
	SAME("terminate", guest.run->exit_reason, GMI_KVM_EXIT_SYSTEM_EVENT);
	SAME("terminate", guest.run->system_event.type, GMI_KVM_SYSTEM_EVENT_SEV_TERM);
	SAME("terminate", guest.run->system_event.ndata, 1);
	SAME("terminate", guest.run->system_event.data[0], 0x1100);
	vcpu = gt_sev_add_vcpu(&guest.sev, 0, 0);
	MUST(vcpu >= 0 && gt_map(t, vcpu, 0, GT_PAGE, &map) == 0);
	late = map;
	SAME("late vCPU", gt_ioctl(t, vcpu, GMI_KVM_RUN, NULL), 0);
	SAME("late vCPU", late->exit_reason, GMI_KVM_EXIT_FAIL_ENTRY);
	gt_unmap(t, map, GT_PAGE);
	guest_close(&guest);
}

static void report_without_certs(struct gt *t)
{
	struct gmem_sim_report report = {.sz = sizeof(report)}, asked = report;
	uint8_t data[64] = "for this guest";
	const struct gmem_sim_action actions[] = {
		{.op = GMEM_SIM_REPORT, .addr = GPA, .value = 1, .in = data, .out = &report},
	};
	struct guest guest;

	guest_open(t, &guest, false);
	memset(guest.backing, 0xff, GT_PAGE);
	SAME("early", gmem_sim_get_report(t->sim, guest.sev.vm, NULL, &asked), -EAGAIN);
	MUST(gt_snp_finish(&guest.sev) == 0);
	script(&guest, actions, GT_COUNT(actions));
	SAME("report", run(&guest), 0);
	SAME("report", guest.run->exit_reason, GMI_KVM_EXIT_HLT);
	SAME("no certificates", guest.backing[0] | guest.backing[23], 0);
	SAME("no certificates", guest.backing[24], 0xff);
	SAME("host's view", gmem_sim_get_report(t->sim, guest.sev.vm, data, &asked), 0);
	SAME("same", memcmp(&report, &asked, sizeof(report)), 0);
	SAME("policy", report.policy, GT_SNP_POLICY);
	SAME("data", memcmp(report.data, data, sizeof(data)), 0);
	SAME("no VM", gmem_sim_get_report(t->sim, guest.file, NULL, &asked), -EBADF);
	guest_close(&guest);
}

/* One request, answered with @ret; gives what KVM_RUN then says. */
static int answer_certs(struct guest *guest, uint64_t ret, uint64_t npages)
{
	const struct gmem_sim_action action = {.op = GMEM_SIM_REPORT, .addr = GPA, .value = 2};

	script(guest, &action, 1);
	SAME("exit", run(guest), 0);
	SAME("exit", guest->run->exit_reason, GMI_KVM_EXIT_SNP_REQ_CERTS);
	SAME("exit", guest->run->snp_req_certs.gpa, GPA);
	SAME("exit", guest->run->snp_req_certs.npages, 2);
	SAME("exit", guest->run->snp_req_certs.ret, 0);
	guest->run->snp_req_certs.ret = ret;
	guest->run->snp_req_certs.npages = npages;
	return run(guest);
}

static void report_with_certs(struct gt *t)
{
	struct guest guest;

	guest_open(t, &guest, true);
	MUST(gt_snp_finish(&guest.sev) == 0);
	SAME("done", answer_certs(&guest, 0, 2), 0);
	SAME("done", info(&guest).hypercall_result, 0);
	SAME("more", answer_certs(&guest, ENOSPC, 5), 0);
	SAME("more", info(&guest).hypercall_result, 0x100000000);
	SAME("more", info(&guest).accumulator, 5);
	SAME("busy", answer_certs(&guest, EAGAIN, 2), 0);
	SAME("busy", info(&guest).hypercall_result, 0x200000000);
	SAME("error", answer_certs(&guest, EIO, 2), 0);
	SAME("error", info(&guest).hypercall_result, (int64_t)0xffffffff00000000);
	SAME("other", answer_certs(&guest, EPERM, 2), -EINVAL);
	guest_close(&guest);
}

/* An ID block is for one digest and one policy, and each of its signatures is checked. */
static int finish_with(struct gt_sev *sev, struct signed_block *made)
{
	struct gmi_kvm_sev_snp_launch_finish finish = {
		.id_block_uaddr = (uintptr_t)made->block,
		.id_auth_uaddr = (uintptr_t)made->auth,
		.id_block_en = 1,
		.auth_key_en = 1,
	};

	memset(finish.host_data, 0x77, sizeof(finish.host_data));
	return gt_sev_op(sev, GMI_KVM_SEV_SNP_LAUNCH_FINISH, &finish);
}

static const struct {
	const char *name;
	size_t offset; /* in the page */
	uint32_t status;
} breaks[] = {
	{"ID key algorithm", 0, GMI_SEV_RET_INVALID_PARAM},
	{"author key algorithm", 4, GMI_SEV_RET_INVALID_PARAM},
	{"signature of the block", 0x40, GMI_SEV_RET_BAD_SIGNATURE},
	{"curve", 0x240, GMI_SEV_RET_BAD_SIGNATURE},
	{"ID key", 0x244, GMI_SEV_RET_BAD_SIGNATURE},
	{"signature of the key", 0x680, GMI_SEV_RET_BAD_SIGNATURE},
	{"author key", 0x884, GMI_SEV_RET_BAD_SIGNATURE},
};

static bool is_digest_of(const uint8_t *digest, const uint8_t *key)
{
	uint8_t own[SHA384_DIGEST_SIZE];
	struct sha384_ctx sha;

	sha384_init(&sha);
	sha384_update(&sha, GMEM_SNP_ID_KEY_SIZE, key);
	sha384_digest(&sha, sizeof(own), own);
	return !memcmp(digest, own, sizeof(own));
}

static void id_block(struct gt *t)
{
	struct gmem_sim_report report = {.sz = sizeof(report)};
	static const uint8_t empty[48]; /* the digest of a launch of nothing */
	struct signed_block made;
	struct gt_sev sev;

	gt_sev_open(t, SNP, &sev);
	MUST(gt_sev_init2(&sev, 0) == 0 && gt_snp_start(&sev, GT_SNP_POLICY) == 0);
	signed_block_make(empty, GT_SNP_POLICY | 1, &made);
	SAME("policy", finish_with(&sev, &made), -EIO);
	SAME("policy", sev.error, GMI_SEV_RET_POLICY_FAILURE);
	signed_block_make(empty, GT_SNP_POLICY, &made);
	for (size_t i = 0; i < GT_COUNT(breaks); i++) {
		made.auth[breaks[i].offset] ^= 0x20;
		SAME(breaks[i].name, finish_with(&sev, &made), -EIO);
		SAME(breaks[i].name, sev.error, breaks[i].status);
		made.auth[breaks[i].offset] ^= 0x20;
	}
	SAME("signed", finish_with(&sev, &made), 0);
	SAME("report", gmem_sim_get_report(t->sim, sev.vm, NULL, &report), 0);
	SAME("host data", report.host_data[31], 0x77);
	SAME("ID key", is_digest_of(report.id_key_digest, made.auth + 0x240), true);
	SAME("author key", is_digest_of(report.author_key_digest, made.auth + 0x880), true);
	SAME("author key", report.has_author_key, 1);
	SAME("SVN", report.guest_svn, 7);
	SAME("IDs", report.family_id[0] << 8 | report.image_id[0], 0xfa1d);
	gt_sev_close(&sev);
}

static void digest_of(struct gt *t, struct guest *guest, uint8_t *ret_digest)
{
	struct gmem_sim_report report = {.sz = sizeof(report)};

	MUST(gt_snp_finish(&guest->sev) == 0);
	MUST(gmem_sim_get_report(t->sim, guest->sev.vm, NULL, &report) == 0);
	memcpy(ret_digest, report.digest, sizeof(report.digest));
}

/* Contents that were written in place measure as contents with a source do. */
static void in_place(struct gt *t)
{
	struct guest guest = {0};
	uint8_t with[48], without[48];
	void *map;

	gt_sev_open(t, SNP, &guest.sev);
	REQUIRE(gt_cap(t, guest.sev.kvm, GMI_NEXT_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES) > 0,
		"no conversion in place");
	MUST(gt_sev_init2(&guest.sev, 0) == 0 && gt_snp_start(&guest.sev, GT_SNP_POLICY) == 0);
	guest_bind(&guest, GT_SHARED_FLAGS);
	MUST(gt_map(t, guest.file, 0, SIZE, &map) == 0);
	memset(map, 0x5c, SIZE);
	MUST(convert(&guest, 0, SIZE, GT_PRIVATE) == 0);
	SAME("no source", gt_snp_load(&guest.sev, GPA, NULL, SIZE, NORMAL), 0);
	digest_of(t, &guest, without);
	gt_unmap(t, map, SIZE);
	guest_close(&guest);
	guest_open(t, &guest, false);
	SAME("source", load(&guest, 0, PAGES, NORMAL), 0);
	digest_of(t, &guest, with);
	SAME("digest", memcmp(with, without, sizeof(with)), 0);
	guest_close(&guest);
}

/* In the order of their creation, whatever their registers: not the same digest the other way. */
static void vcpu_order(struct gt *t)
{
	uint8_t digest[2][48];
	struct guest guest;

	for (int i = 0; i < 2; i++) {
		guest_open(t, &guest, false);
		MUST(gt_sev_add_vcpu(&guest.sev, i ? 2 : 1, 0xfffff000) >= 0);
		MUST(gt_sev_add_vcpu(&guest.sev, i ? 1 : 2, 0xfffff000) >= 0);
		digest_of(t, &guest, digest[i]);
		guest_close(&guest);
	}
	SAME("order", memcmp(digest[0], digest[1], 48) != 0, true);
}

static const struct gt_test tests[] = {
	GT_TEST(asids),
	GT_TEST(asid_ranges),
	GT_TEST(switched_off),
	GT_TEST(policies),
	GT_TEST(init_fails),
	GT_TEST(start_fails),
	GT_TEST(update_fails),
	GT_TEST(finish_fails),
	GT_TEST(dead_processor),
	GT_TEST(dead_guest),
	GT_TEST(contents),
	GT_TEST(page_states),
	GT_TEST(report_without_certs),
	GT_TEST(report_with_certs),
	GT_TEST(endings),
	GT_TEST(id_block),
	GT_TEST(in_place),
	GT_TEST(vcpu_order),
};

GT_MAIN(tests)
