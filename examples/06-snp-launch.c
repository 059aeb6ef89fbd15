/* SPDX-License-Identifier: MIT */
/* Launches an SEV-SNP guest from an OVMF image, and prints the digest that its owner has to expect. */
#include <fcntl.h>
#include <libgmem/libgmem.h>
#include <libgmem/measure.h>
#include <libgmem/sim.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define END      (UINT64_C(4) << 30) /* of the firmware */
#define VMSA_RDX 0x310               /* where a VMSA has the processor's signature */

static struct gmem_sim *sim;
static const struct gmem_sys_ops *sys;
static struct gmem_ctx *ctx;
static struct gmem_vm *vm;
static const struct gmem_launch_step *steps;
static size_t count;

static void must(int ret, const char *what)
{
	if (ret < 0)
		fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message), exit(1);
}

static void print(const char *what, const uint8_t *digest)
{
	printf("%s ", what);
	for (int i = 0; i < 48; i++)
		printf("%02x", digest[i]);
	printf("\n");
}

static void open_kernel(void)
{
	GMEM_INIT(gmem_ctx_opts, opts);

	sys = gmem_sys_linux();
	if (!gmem_ctx_create(NULL, &ctx) && gmem_has_vm_type(ctx, GMEM_VM_SNP) == 1)
		return;
	ctx = gmem_ctx_unref(ctx);
	printf("no SNP here: on the simulated kernel\n");
	must(gmem_sim_create("v7.3-snp", NULL, &sim), "sim");
	opts.sys = sys = gmem_sim_ops();
	opts.sys_user = sim;
	must(gmem_ctx_create(&opts, &ctx), "ctx");
}

static void bind_memory(uint64_t gpa, uint64_t size)
{
	GMEM_INIT(gmem_slot_opts, opts);
	struct gmem_slot *slot;

	must(gmem_file_create(vm, size, NULL, &opts.file), "file");
	must(gmem_slot_bind(vm, gpa, size, &opts, &slot), "bind");
	gmem_file_unref(opts.file); /* the slot holds it */
}

/* One vCPU, which the reset has at the firmware's first instruction already. */
static int make_vcpus(void *user, struct gmem_snp *snp)
{
	int vcpu = sys->ioctl(sim, gmem_vm_fd(vm), KVM_CREATE_VCPU, NULL);
	struct kvm_regs regs;

	if (vcpu < 0 || sys->ioctl(sim, vcpu, KVM_GET_REGS, &regs))
		return -1;
	memcpy(&regs.rdx, (const uint8_t *)steps[count - 1].bytes + VMSA_RDX, sizeof(regs.rdx));
	return sys->ioctl(sim, vcpu, KVM_SET_REGS, &regs);
}

int main(int argc, char **argv)
{
	GMEM_INIT(gmem_ovmf_opts, ovmf);
	GMEM_INIT(gmem_measure_error, why);
	GMEM_INIT(gmem_snp_update_opts, update);
	GMEM_INIT(gmem_snp_finish_opts, finish);
	GMEM_INIT(gmem_snp_launch_opts, opts);
	GMEM_INIT(gmem_sim_report, report);
	static const struct kvm_cpuid2 cpuid; /* a VMM has that of KVM_SET_CPUID2 here */
	uint8_t table[GMEM_SNP_CPUID_SIZE];
	struct gmem_digest expected;
	struct gmem_plan *plan;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0)
		return fprintf(stderr, "usage: 06-snp-launch FIRMWARE\n"), 2;
	ovmf.vm_type = GMEM_VM_SNP;
	ovmf.image_size = (uint64_t)size;
	ovmf.image = mmap(NULL, ovmf.image_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ovmf.vcpus = finish.vcpus = 1;
	ovmf.vcpu_sig = 0xa00f11;
	ovmf.sev_features = 1;
	if (gmem_plan_from_ovmf(&ovmf, &plan, &why) ||
	    gmem_measure_plan(plan, NULL, &expected, &why))
		return fprintf(stderr, "%s\n", why.text), 1;
	steps = gmem_plan_steps(plan, &count);
	open_kernel();
	must(gmem_vm_create(ctx, GMEM_VM_SNP, NULL, &vm), "vm");
	bind_memory(0, UINT64_C(256) << 20);
	bind_memory(END - ovmf.image_size, ovmf.image_size);
	must(gmem_snp_cpuid_build(&cpuid, 0, table), "cpuid");
	update.cpuid = table;
	opts.update = &update;
	opts.finish = &finish;
	opts.make_vcpus = make_vcpus;
	must(gmem_snp_launch(vm, steps, count, &opts, NULL), "launch");
	gmem_plan_destroy(plan);
	print("expected", expected.bytes);
	if (!sim)
		return 0;
	must(gmem_sim_get_report(sim, gmem_vm_fd(vm), NULL, &report), "report");
	print("launched", report.digest);
	return memcmp(report.digest, expected.bytes, sizeof(report.digest)) != 0;
}
