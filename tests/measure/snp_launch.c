/* SPDX-License-Identifier: MIT */
/* Rows of SNP vector tables as options of gmem_plan_from_ovmf(). */
#include "snp_launch.h"

static const struct {
	const char *mode;
	uint32_t vm_type;
	uint32_t flags;
} modes[] = {
	{"snp", GMEM_VM_SNP, 0},
	{"snp:svsm", GMEM_VM_SNP, 0},
	{"snp:ovmf-hash", GMEM_VM_SNP, GMEM_OVMF_IMAGE_ONLY},
	{"seves", GMEM_VM_SEV_ES, 0},
	{"sev", GMEM_VM_SEV, 0},
};

static const char *const vmms[] = {"qemu", "ec2", "gce", "ec2-rdx0"};

static void set_mode(struct launch *launch, const char *mode)
{
	for (size_t i = 0; i < GT_COUNT(modes); i++) {
		if (strcmp(modes[i].mode, mode))
			continue;
		launch->opts.vm_type = modes[i].vm_type;
		launch->opts.flags = modes[i].flags;
	}
	MUST(launch->opts.vm_type);
}

static uint32_t vmm_number(const char *name)
{
	for (uint32_t i = 0; name && i < GT_COUNT(vmms); i++)
		if (!strcmp(vmms[i], name))
			return i;
	MUST(!name);
	return 0;
}

/* A model name, family/model/stepping, or neither; the result is what the table says it is. */
static uint32_t signature(const struct vector_table *table, size_t row)
{
	const char *cpu = vector_cell(table, row, "cpu");
	uint32_t want = (uint32_t)vector_number(table, row, "vcpu_sig"), got = 0;
	unsigned int family, model, stepping;

	if (!cpu)
		return want;
	if (sscanf(cpu, "%u/%u/%u", &family, &model, &stepping) == 3)
		EXPECT(cpu, gmem_vcpu_sig_from_fms(family, model, stepping, &got), 0);
	else
		EXPECT(cpu, gmem_vcpu_sig_from_name(cpu, &got), 0);
	EXPECT_CASE(cpu, "the signature", got, want);
	return got;
}

static void load(const char *dir, const char *name, struct vector_file *file, const void **ret_data,
		 uint64_t *ret_size)
{
	if (!name)
		return;
	if (!strcmp(name, "empty"))
		file->data = calloc(1, 1);
	else
		MUST(vector_file_read(dir, name, file));
	*ret_data = file->data;
	*ret_size = file->size;
}

static void set_start(struct launch *launch, const char *seed)
{
	launch->measure.sz = sizeof(launch->measure);
	if (!seed)
		return;
	launch->measure.start = launch->start;
	launch->measure.start_size = vector_unhex(seed, launch->start, sizeof(launch->start));
	if (launch->opts.vm_type == GMEM_VM_SNP)
		launch->opts.flags = GMEM_OVMF_WITHOUT_IMAGE;
}

struct launch launch_read(const struct vector_table *table, size_t row, const char *dir)
{
	const char *image = vector_cell(table, row, "ovmf");
	const char *append = vector_cell(table, row, "append");
	bool debian = !strncmp(image, "debian:", 7);
	struct launch launch = {.opts.sz = sizeof(launch.opts)};
	struct gmem_ovmf_opts *opts = &launch.opts;

	set_mode(&launch, vector_cell(table, row, "mode"));
	opts->vmm = vmm_number(vector_cell(table, row, "vmm"));
	opts->vcpus = (uint32_t)vector_number(table, row, "vcpus");
	opts->vcpu_sig = signature(table, row);
	opts->sev_features = vector_number(table, row, "guest_features");
	opts->vars_size = vector_number(table, row, "vars_size");
	opts->append = append ? append + 1 : NULL;
	load(debian ? "/" : dir, debian ? image + 7 : image, &launch.image, &opts->image,
	     &opts->image_size);
	load(dir, vector_cell(table, row, "svsm"), &launch.svsm, &opts->svsm, &opts->svsm_size);
	load(dir, vector_cell(table, row, "kernel"), &launch.kernel, &opts->kernel,
	     &opts->kernel_size);
	load(dir, vector_cell(table, row, "initrd"), &launch.initrd, &opts->initrd,
	     &opts->initrd_size);
	set_start(&launch, vector_cell(table, row, "ovmf_hash_seed"));
	return launch;
}

void launch_free(struct launch *launch)
{
	vector_file_free(&launch->image);
	vector_file_free(&launch->svsm);
	vector_file_free(&launch->kernel);
	vector_file_free(&launch->initrd);
}

/* The options reach the launch only with its own start, so they are set here. */
int launch_measure(struct launch *launch, struct gmem_digest *digest,
		   struct gmem_measure_error *error)
{
	struct gmem_plan *plan;
	int ret = gmem_plan_from_ovmf(&launch->opts, &plan, error);

	if (ret)
		return ret;
	launch->measure.start = launch->measure.start_size ? launch->start : NULL;
	ret = gmem_measure_plan(plan, &launch->measure, digest, error);
	gmem_plan_destroy(plan);
	return ret;
}

void expect_launch(const struct vector_table *table, size_t row, const char *dir)
{
	struct launch launch = launch_read(table, row, dir);
	const char *id = vector_cell(table, row, "id");
	GMEM_INIT(gmem_measure_error, error);
	struct gmem_digest digest = {0};
	int ret = launch_measure(&launch, &digest, &error);

	if (!EXPECT_CASE(id, "the launch is measured", ret, 0))
		fprintf(stderr, "  %s\n", error.text);
	expect_digest(id, digest.bytes, digest.size, vector_cell(table, row, "expected"));
	launch_free(&launch);
}
