/* SPDX-License-Identifier: MIT */
/* What a guest is told of itself: the contents of an attestation report. */
#include <errno.h>
#include <string.h>

#include "sim_model.h"
#include "uapi_sev.h"

/* SNP_GUEST_REQUEST: 0, or what the driver says. */
int gmi_sim_guest_report(struct gmem_sim *sim, struct sim_vm *vm, const void *data,
			 struct gmem_sim_report *ret_report)
{
	const struct sim_guest *guest = vm->sev.guest;
	struct gmem_sim_report report;

	if (!guest || guest->state != GUEST_RUNNING)
		return -EAGAIN;
	report = guest->report;
	report.sz = sizeof(report);
	report.policy = guest->policy;
	report.digest_size = gmi_sim_is_snp(vm) ? SIM_SHA384 : SIM_SHA256;
	memcpy(report.digest, guest->digest, report.digest_size);
	if (data)
		memcpy(report.data, data, sizeof(report.data));
	*ret_report = report;
	return 0;
}

GMEM_API int gmem_sim_get_report(struct gmem_sim *sim, int vm_fd, const void *data,
				 struct gmem_sim_report *ret_report)
{
	struct sim_object *object;
	int ret = -EBADF;

	if (!sim || !ret_report || ret_report->sz != sizeof(*ret_report))
		return -EINVAL;
	gmi_sim_lock(sim);
	if (gmi_sim_kind(sim, vm_fd, &object) == SIM_VM && object)
		ret = gmi_sim_guest_report(sim, sim_container(object, struct sim_vm, object), data,
					   ret_report);
	gmi_sim_unlock(sim);
	return ret;
}
