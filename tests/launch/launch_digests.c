/* SPDX-License-Identifier: MIT */
/* The digest of the launch is the one that the plan promises: every image, every kind of source. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "igvm_file.h"
#include "lt.h"
#include "snp_launch.h"

static struct gmem_snp_launch_opts options(struct lt *lt, const struct gmem_snp_opts *guest,
					   const struct gmem_snp_update_opts *update,
					   const struct gmem_snp_finish_opts *finish)
{
	return (struct gmem_snp_launch_opts){
		.sz = sizeof(struct gmem_snp_launch_opts),
		.guest = guest,
		.update = update,
		.finish = finish,
		.make_vcpus = lt_make_vcpus,
		.user = lt,
	};
}

static int launch(struct lt *lt, uint64_t features, uint32_t vcpus)
{
	GMEM_INIT(gmem_snp_opts, guest);
	GMEM_INIT(gmem_snp_update_opts, update);
	GMEM_INIT(gmem_snp_finish_opts, finish);
	struct gmem_snp_launch_opts opts = options(lt, &guest, &update, &finish);
	size_t count;
	const struct gmem_launch_step *steps = lt_steps(lt, &count);

	guest.features = features;
	update.cpuid = lt->cpuid;
	finish.vcpus = vcpus;
	return gmem_snp_launch(lt->vm, steps, count, &opts, &lt->snp);
}

/*
 * Features that the simulated KVM takes. Google's VMM sets the PAT, by KVM_SET_MSRS, which is not
 * simulated.
 */
static bool is_launchable(const struct vector_table *table, size_t row, bool debian)
{
	const char *vmm = vector_cell(table, row, "vmm");
	const char *mode = vector_cell(table, row, "mode");
	const char *ovmf = vector_cell(table, row, "ovmf");
	uint64_t features = vector_number(table, row, "guest_features");

	return (!strcmp(mode, "snp") || !strcmp(mode, "snp:svsm")) &&
	       (!vmm || strcmp(vmm, "gce")) && !strncmp(ovmf, "debian:", 7) == debian &&
	       !vector_cell(table, row, "ovmf_hash_seed") &&
	       !(features & ~(1 | GMI_SEV_FEATURE_DEBUG_SWAP | GMI_SEV_FEATURE_SECURE_TSC));
}

static void check_row(struct gt *t, const struct vector_table *table, size_t row, const char *dir)
{
	struct launch vector = launch_read(table, row, dir);
	const char *id = vector_cell(table, row, "id");
	GMEM_INIT(gmem_sim_report, report);
	struct lt lt;

	lt_open(t, &lt);
	MUST(gmem_plan_from_ovmf(&vector.opts, &lt.plan, NULL) == 0);
	lt_bind(&lt);
	if (!EXPECT_CASE(id, "launch", launch(&lt, vector.opts.sev_features, vector.opts.vcpus), 0))
		fprintf(stderr, "  %s\n", gmem_errinfo()->message);
	lt_expect_digest(id, &lt);
	EXPECT_CASE(id, "report", gmem_sim_get_report(t->sim, gmem_vm_fd(lt.vm), NULL, &report), 0);
	expect_digest(id, report.digest, sizeof(report.digest),
		      vector_cell(table, row, "expected"));
	lt_close(&lt);
	launch_free(&vector);
}

static int64_t check_rows(struct gt *t, bool debian)
{
	struct vector_table table;
	char dir[512];
	int64_t done = 0;

	snprintf(dir, sizeof(dir), "%s/snp-own", vector_dir());
	table = vector_table_read(dir, "launch.tsv");
	snprintf(dir, sizeof(dir), "%s/snp-own/images", vector_dir());
	for (size_t i = 0; i < table.count; i++) {
		if (!is_launchable(&table, i, debian))
			continue;
		check_row(t, &table, i, dir);
		done++;
	}
	vector_table_free(&table);
	return done;
}

static void own_images(struct gt *t)
{
	EXPECT("launches", check_rows(t, false) > 70, true);
}

/* Of whatever version is installed: launch and measurement read the same file. */
static void debian_image(struct gt *t)
{
	GMEM_INIT(gmem_ovmf_opts, opts);
	GMEM_INIT(gmem_measure_error, error);
	struct vector_file image;
	struct lt lt;

	REQUIRE(vector_file_read("/", "usr/share/ovmf/OVMF.fd", &image),
		"no OVMF.fd: package ovmf");
	opts.vm_type = GMEM_VM_SNP;
	opts.image = image.data;
	opts.image_size = image.size;
	opts.vcpus = 4;
	opts.vcpu_sig = 0xa00f11;
	opts.sev_features = 1;
	lt_open(t, &lt);
	MUST(gmem_plan_from_ovmf(&opts, &lt.plan, &error) == 0);
	lt_bind(&lt);
	EXPECT("OVMF.fd", launch(&lt, 1, 4), 0);
	lt_expect_digest("OVMF.fd", &lt);
	lt_close(&lt);
	vector_file_free(&image);
}

static struct igvm_file igvm;

#define IGVM_SNP 2 /* platform type */
#define IGVM_ALL 1 /* compatibility mask */

/* Pages of each type, an area for parameters, a vCPU of the file's own and one of KVM's. */
static void write_igvm(void)
{
	const struct gmem_vmsa_opts vmsa = {
		.sz = sizeof(vmsa),
		.profile = GMEM_VMSA_SVSM,
		.entry = 0x1000,
		.sev_features = 1,
	};
	uint32_t at;

	igvm_begin(&igvm, 1);
	igvm_platform(&igvm, IGVM_ALL, IGVM_SNP);
	igvm_policy(&igvm, 0x30000, IGVM_ALL);
	at = igvm_data(&igvm, 0);
	MUST(gmem_vmsa_build(&vmsa, igvm.bytes + at, NULL) == 0);
	igvm_vp_context(&igvm, GMEM_LAUNCH_VMSA_GPA, IGVM_ALL, at, 0);
	igvm_page(&igvm, 0x100000, IGVM_ALL, igvm_data(&igvm, 0x11), 0, 0);
	igvm_page(&igvm, 0x101000, IGVM_ALL, igvm_data(&igvm, 0x22), 0, 0);
	igvm_page(&igvm, 0x102000, IGVM_ALL, igvm_data(&igvm, 0x33), 2, 0);
	igvm_page(&igvm, 0x103000, IGVM_ALL, 0, 0, 0);
	igvm_page(&igvm, 0x104000, IGVM_ALL, 0, 0, 1);
	igvm_page(&igvm, 0x105000, IGVM_ALL, 0, 0, 2);
	igvm_area(&igvm, GT_PAGE, 0, 0);
	igvm_parameter(&igvm, GMEM_PARAMETER_VP_COUNT, 0, 0);
	igvm_insert(&igvm, 0x107000, IGVM_ALL, 0);
	igvm_end(&igvm);
}

static void igvm_file(struct gt *t)
{
	GMEM_INIT(gmem_igvm_opts, opts);
	GMEM_INIT(gmem_measure_error, error);
	uint32_t vcpus = 2;
	struct lt lt;

	for (uint32_t vmm = GMEM_VMM_QEMU; vmm <= GMEM_VMM_CLOUD_HYPERVISOR; vmm++) {
		if (vmm != GMEM_VMM_QEMU && vmm != GMEM_VMM_CLOUD_HYPERVISOR)
			continue;
		write_igvm();
		opts.vm_type = GMEM_VM_SNP;
		opts.vmm = vmm;
		opts.image = igvm.bytes;
		opts.image_size = igvm.data;
		opts.vcpus = vcpus;
		opts.vcpu_sig = 0xa10f10;
		lt_open(t, &lt);
		if (gmem_plan_from_igvm(&opts, &lt.plan, &error))
			gt_must(__FILE__, __LINE__, error.text);
		MUST(gmem_plan_fill(lt.plan, 0x107000, &vcpus, sizeof(vcpus), NULL) == 0);
		lt_bind(&lt);
		if (!EXPECT("IGVM", launch(&lt, 1, vcpus), 0))
			fprintf(stderr, "  %s\n", gmem_errinfo()->message);
		lt_expect_digest("IGVM", &lt);
		lt_close(&lt);
	}
}

/* Every type, with and without contents, in parts that a batch does not divide. */
static void plan_all(struct lt *lt)
{
	lt_plan(lt);
	lt_add(lt, 0, 7, GMEM_LAUNCH_NORMAL);
	lt_add(lt, 8, 3, GMEM_LAUNCH_ZERO);
	lt_add(lt, 11, 2, GMEM_LAUNCH_UNMEASURED);
	lt_add(lt, 13, 1, GMEM_LAUNCH_SECRETS);
	lt_add(lt, 14, 1, GMEM_LAUNCH_CPUID);
	lt_add(lt, 15, 5, GMEM_LAUNCH_NORMAL);
}

static void finish(const char *row, struct lt *lt)
{
	EXPECT(row, gmem_snp_finish(lt->snp, NULL), 0);
	lt_expect_digest(row, lt);
}

static void all_types(struct gt *t)
{
	static const uint64_t batches[] = {GT_PAGE, 2 * GT_PAGE, 3 * GT_PAGE, 0};
	GMEM_INIT(gmem_snp_update_opts, opts);
	GMEM_INIT(gmem_snp_info, info);
	uint64_t done;
	struct lt lt;

	for (size_t i = 0; i < GT_COUNT(batches); i++) {
		lt_open(t, &lt);
		plan_all(&lt);
		lt_bind(&lt);
		lt_start(&lt, NULL);
		opts.cpuid = lt.cpuid;
		opts.batch = batches[i];
		EXPECT("update", lt_update(&lt, &opts, &done), 0);
		EXPECT("done", (int64_t)done, 19 * (int64_t)GT_PAGE);
		EXPECT("info", gmem_snp_get_info(lt.snp, &info), 0);
		EXPECT("bytes", (int64_t)info.bytes, 19 * (int64_t)GT_PAGE);
		if (!batches[i])
			EXPECT("one call a run", (int64_t)info.calls, 6);
		finish("all types", &lt);
		lt_close(&lt);
	}
}

/* Steps that follow each other are one call, and the digest does not notice. */
static void merged(struct gt *t)
{
	struct gmem_launch_step steps[8];
	GMEM_INIT(gmem_snp_info, info);
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 6, GMEM_LAUNCH_NORMAL);
	lt_add(&lt, 6, 2, GMEM_LAUNCH_ZERO);
	lt_bind(&lt);
	lt_start(&lt, NULL);
	for (uint64_t i = 0; i < 8; i++)
		steps[i] = lt_step(&lt, i, 1, i < 6 ? GMEM_LAUNCH_NORMAL : GMEM_LAUNCH_ZERO);
	steps[3].bytes = lt.bytes + 40 * GT_PAGE;
	memcpy(lt.bytes + 40 * GT_PAGE, lt.bytes + 3 * GT_PAGE, GT_PAGE);
	EXPECT("update", gmem_snp_update(lt.snp, steps, 8, NULL, NULL), 0);
	EXPECT("info", gmem_snp_get_info(lt.snp, &info), 0);
	EXPECT("0-2, 3, 4-5, 6-7", (int64_t)info.calls, 4);
	finish("merged", &lt);
	lt_close(&lt);
}

static int make_file(const struct lt *lt, uint64_t pages)
{
	int fd = memfd_create("source", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(write(fd, lt->bytes, pages * GT_PAGE) == (ssize_t)(pages * GT_PAGE));
	return fd;
}

static struct gmem_launch_step file_step(struct lt *lt, int fd, uint64_t page, uint64_t pages)
{
	struct gmem_launch_step step = lt_step(lt, page, pages, GMEM_LAUNCH_NORMAL);

	step.flags |= GMEM_LAUNCH_FILE;
	step.bytes = NULL;
	step.fd = fd;
	step.offset = page * GT_PAGE;
	return step;
}

/* A plan of file ranges, launched in single pages. */
static void from_files(struct gt *t)
{
	struct gmem_launch_step step, steps[12];
	GMEM_INIT(gmem_snp_info, info);
	struct lt lt;
	int fd;

	lt_open(t, &lt);
	fd = make_file(&lt, 12);
	lt_plan(&lt);
	step = file_step(&lt, fd, 0, 12);
	MUST(gmem_plan_add(lt.plan, &step, NULL) == 0);
	lt_bind(&lt);
	lt_start(&lt, NULL);
	for (uint64_t i = 0; i < 12; i++)
		steps[i] = file_step(&lt, fd, i, 1);
	EXPECT("update", gmem_snp_update(lt.snp, steps, 12, NULL, NULL), 0);
	EXPECT("info", gmem_snp_get_info(lt.snp, &info), 0);
	EXPECT("one call", (int64_t)info.calls, 1);
	finish("files", &lt);
	lt_close(&lt);
	close(fd);
}

/* The contents lie in the shared side of the very memory that becomes private: not lost. */
static void from_shared_side(struct gt *t)
{
	static const uint32_t policies[] = {GMEM_DISCARD_NOW, GMEM_DISCARD_DEFER,
					    GMEM_DISCARD_KEEP};
	GMEM_INIT(gmem_snp_update_opts, opts);
	GMEM_INIT(gmem_attr_info, attr);
	GMEM_INIT(gmem_slot_info, slot);
	struct gmem_launch_step step;
	struct lt lt;

	for (size_t i = 0; i < GT_COUNT(policies); i++) {
		lt_open(t, &lt);
		lt_plan(&lt);
		lt_add(&lt, 0, 16, GMEM_LAUNCH_NORMAL);
		lt_bind(&lt);
		MUST(gmem_slot_get_info(lt.slots[0], &slot) == 0);
		if (!slot.hva) {
			lt_close(&lt);
			gt_skip("memory of one backing");
		}
		memcpy(slot.hva, lt.bytes, 16 * GT_PAGE);
		lt_start(&lt, NULL);
		step = lt_step(&lt, 0, 16, GMEM_LAUNCH_NORMAL);
		step.bytes = slot.hva;
		opts.discard = policies[i];
		EXPECT("update", gmem_snp_update(lt.snp, &step, 1, &opts, NULL), 0);
		EXPECT("attr", gmem_attr_get_info(lt.vm, NULL, &attr), 0);
		EXPECT("kept", (int64_t)attr.twice_bytes,
		       policies[i] == GMEM_DISCARD_NOW ? 0 : 16 * (int64_t)GT_PAGE);
		EXPECT("pending", (int64_t)attr.pending_bytes,
		       policies[i] == GMEM_DISCARD_DEFER ? 16 * (int64_t)GT_PAGE : 0);
		finish("shared side", &lt);
		lt_close(&lt);
	}
}

/* The second step's contents lie in the shared side of the first step's memory. */
static void from_another_step(struct gt *t)
{
	GMEM_INIT(gmem_slot_info, slot);
	GMEM_INIT(gmem_attr_info, attr);
	struct gmem_launch_step steps[2];
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 8, GMEM_LAUNCH_ZERO);
	lt_add(&lt, 8, 8, GMEM_LAUNCH_NORMAL);
	lt_bind(&lt);
	MUST(gmem_slot_get_info(lt.slots[0], &slot) == 0);
	if (!slot.hva) {
		lt_close(&lt);
		gt_skip("memory of one backing");
	}
	memcpy(slot.hva, lt.bytes + 8 * GT_PAGE, 8 * GT_PAGE);
	lt_start(&lt, NULL);
	steps[0] = lt_step(&lt, 0, 8, GMEM_LAUNCH_ZERO);
	steps[1] = lt_step(&lt, 8, 8, GMEM_LAUNCH_NORMAL);
	steps[1].bytes = slot.hva;
	EXPECT("update", gmem_snp_update(lt.snp, steps, 2, NULL, NULL), 0);
	EXPECT("attr", gmem_attr_get_info(lt.vm, NULL, &attr), 0);
	EXPECT("given back", (int64_t)attr.twice_bytes, 0);
	finish("another step", &lt);
	lt_close(&lt);
}

/* Written where the guest will have it, while that is shared; then only measured. */
static void in_place(struct gt *t)
{
	GMEM_INIT(gmem_snp_update_opts, opts);
	GMEM_INIT(gmem_file_opts, file);
	GMEM_INIT(gmem_slot_opts, slot);
	GMEM_INIT(gmem_slot_info, info);
	struct lt lt;

	lt_open(t, &lt);
	lt_plan(&lt);
	lt_add(&lt, 0, 9, GMEM_LAUNCH_NORMAL);
	lt_add(&lt, 9, 1, GMEM_LAUNCH_SECRETS);
	lt_add(&lt, 10, 1, GMEM_LAUNCH_UNMEASURED);
	opts.flags = GMEM_SNP_IN_PLACE;
	if (gmem_has_feature(lt.ctx, GMEM_VM_SNP, GMEM_FEATURE_CONVERT_INPLACE) != 1) {
		lt_bind(&lt);
		lt_start(&lt, NULL);
		gmem_shim_reset(lt.shim);
		lt_expect_refused("in place", &lt, lt_update(&lt, &opts, NULL), -EOPNOTSUPP,
				  "does not convert in place");
		lt_close(&lt);
		return;
	}
	file.flags = GMEM_FILE_MMAP | GMEM_FILE_INIT_SHARED;
	MUST(gmem_file_create(lt.vm, 16 * GT_PAGE, &file, &lt.file) == 0);
	slot.file = lt.file;
	MUST(gmem_slot_bind(lt.vm, LT_GPA, 16 * GT_PAGE, &slot, &lt.slots[0]) == 0);
	MUST(gmem_slot_get_info(lt.slots[0], &info) == 0 && info.hva);
	memcpy(info.hva, lt.bytes, 11 * GT_PAGE);
	memset(lt.bytes + 10 * GT_PAGE, 0, GT_PAGE);
	lt_start(&lt, NULL);
	EXPECT("update", lt_update(&lt, &opts, NULL), 0);
	finish("in place", &lt);
	lt_close(&lt);
}

static const struct gt_test tests[] = {
	{"own_images", own_images, .seconds = 240},
	GT_TEST(debian_image),
	GT_TEST(igvm_file),
	GT_TEST(all_types),
	GT_TEST(merged),
	GT_TEST(from_files),
	GT_TEST(from_shared_side),
	GT_TEST(from_another_step),
	GT_TEST(in_place),
};

GT_MAIN(tests)
