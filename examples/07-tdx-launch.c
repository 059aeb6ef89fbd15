/* SPDX-License-Identifier: MIT */
/* Launches a TDX guest from a TDVF image, and prints the MRTD that its owner has to expect. */
#include <fcntl.h>
#include <libgmem/libgmem.h>
#include <libgmem/measure.h>
#include <libgmem/sim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM      (UINT64_C(256) << 20)
#define FIRMWARE (UINT64_C(4) << 30) /* where it ends */

static struct gmem_sim *sim;
static struct gmem_ctx *ctx;
static struct gmem_vm *vm;

static void must(int ret, const char *what)
{
	if (ret < 0)
		fprintf(stderr, "%s: %s\n", what, gmem_errinfo()->message), exit(1);
}

static void print(const char *what, const uint8_t *digest)
{
	printf("%s ", what);
	for (int i = 0; i < 48; i++)
		printf("%02x%s", digest[i], i == 47 ? "\n" : "");
}

static void open_kernel(void)
{
	GMEM_INIT(gmem_ctx_opts, opts);

	if (!gmem_ctx_create(NULL, &ctx) && gmem_has_vm_type(ctx, GMEM_VM_TDX) == 1)
		return;
	ctx = gmem_ctx_unref(ctx);
	printf("no TDX here: on the simulated kernel\n");
	must(gmem_sim_create("v7.3-tdx", NULL, &sim), "sim");
	opts.sys = gmem_sim_ops();
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

/* The image as a plan, its TD HOB with the RAM that there is, and what it measures. */
static struct gmem_plan *make_plan(const char *path, uint64_t *ret_size,
				   struct gmem_digest *ret_mrtd)
{
	static const struct gmem_range ram = {.start = 0, .size = RAM};
	GMEM_INIT(gmem_tdvf_opts, opts);
	GMEM_INIT(gmem_measure_error, why);
	struct gmem_plan *plan;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size <= 0)
		fprintf(stderr, "%s: cannot be read\n", path), exit(1);
	opts.image_size = *ret_size = (uint64_t)size;
	opts.image = mmap(NULL, opts.image_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (gmem_plan_from_tdvf(&opts, &plan, &why) ||
	    gmem_plan_fill_td_hob(plan, &ram, 1, NULL, &why) ||
	    gmem_measure_plan(plan, NULL, ret_mrtd, &why))
		fprintf(stderr, "%s: %s\n", path, why.text), exit(1);
	return plan;
}

int main(int argc, char **argv)
{
	/* A VMM has what KVM_GET_SUPPORTED_CPUID says here: x2APIC has to be in it. */
	static const struct gmem_tdx_cpuid leaves[] = {{.function = 1, .ecx = 1u << 21}};
	GMEM_INIT(gmem_tdx_cpuid_opts, cpuid);
	GMEM_INIT(gmem_tdx_init_opts, init);
	GMEM_INIT(gmem_tdx_launch_opts, opts);
	GMEM_INIT(gmem_sim_td_info, td);
	struct gmem_digest expected;
	struct gmem_plan *plan;
	struct gmem_tdx *tdx;
	uint64_t size;
	size_t count;

	if (argc != 2)
		return fprintf(stderr, "usage: 07-tdx-launch FIRMWARE\n"), 2;
	plan = make_plan(argv[1], &size, &expected);
	open_kernel();
	must(gmem_vm_create(ctx, GMEM_VM_TDX, NULL, &vm), "vm");
	bind_memory(0, RAM);
	bind_memory(FIRMWARE - size, size);
	cpuid.entries = leaves;
	cpuid.count = 1;
	init.cpuid = &cpuid;
	init.gpa_width = 48;
	init.attributes = GMEM_TDX_ATTR_SEPT_VE_DISABLE;
	opts.init = &init;
	opts.vcpus = 1;
	const struct gmem_launch_step *steps = gmem_plan_steps(plan, &count);
	must(gmem_tdx_create(vm, NULL, &tdx), "tdx");
	must(gmem_tdx_launch(tdx, steps, count, &opts), "launch");
	gmem_tdx_unref(tdx);
	gmem_plan_destroy(plan);
	print("expected", expected.bytes);
	if (!sim)
		return 0;
	must(gmem_sim_td_get_info(sim, gmem_vm_fd(vm), &td), "the module");
	print("launched", td.mrtd);
	return memcmp(td.mrtd, expected.bytes, sizeof(td.mrtd)) != 0;
}
