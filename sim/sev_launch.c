/* SPDX-License-Identifier: MIT */
/* The launch of SEV and SEV-ES guests, KVM's side and the firmware's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_regs.h"
#include "uapi_sev.h"

/* The firmware's numbers for a guest's state, as GUEST_STATUS gives them. */
enum { STATE_LAUNCHING = 1, STATE_SECRET = 2, STATE_RUNNING = 3 };

#define BLOB_MAX 16384 /* SEV_FW_BLOB_MAX_SIZE */

/* psp_copy_user_blob() for what the model does not look into: certificates and sessions. */
static int look_at_blob(uint64_t addr, uint32_t size)
{
	uint8_t byte;

	if (!addr)
		return 0;
	if (!size || size > BLOB_MAX)
		return -EINVAL;
	return gmi_sim_copy_in(&byte, addr, 1) ? -EFAULT
					       : gmi_sim_copy_in(&byte, addr + size - 1, 1);
}

/* A second guest of one VM comes as far as the ASID, which the first has. */
static uint32_t fw_start(struct gmem_sim *sim, struct sim_vm *vm, uint32_t policy)
{
	struct sim_guest *guest;

	if (vm->sev.guest)
		return GMI_SEV_RET_ASID_OWNED;
	guest = gmi_sim_guest_new(sim);
	if (!guest)
		return GMI_SEV_RET_RESOURCE_LIMIT;
	guest->data = gmi_sim_sha256_new();
	if (!guest->data) {
		gmi_sim_guest_free(sim, guest);
		return GMI_SEV_RET_RESOURCE_LIMIT;
	}
	guest->policy = policy;
	guest->state = GUEST_LAUNCHING;
	vm->sev.guest = guest;
	return GMI_SEV_RET_SUCCESS;
}

/* sev_bind_asid(): without the ASID the guest is given up again. */
static int bind_asid(struct gmem_sim *sim, struct sim_vm *vm, uint32_t *error)
{
	int ret = gmi_sim_psp_call(sim, GMEM_SIM_SEV_ACTIVATE, error);

	if (!ret)
		vm->sev.guest->asid = vm->sev.asid;
	return ret;
}

static void give_up(struct gmem_sim *sim, struct sim_vm *vm)
{
	gmi_sim_guest_free(sim, vm->sev.guest);
	vm->sev.guest = NULL;
}

static int start_guest(struct gmem_sim *sim, struct sim_vm *vm,
		       struct gmi_kvm_sev_launch_start *start, struct gmi_kvm_sev_cmd *cmd)
{
	int ret = gmi_sim_psp_issue(sim, (int)cmd->sev_fd, GMEM_SIM_SEV_LAUNCH_START, &cmd->error);

	if (!ret)
		ret = gmi_sim_psp_end(fw_start(sim, vm, start->policy), &cmd->error);
	if (ret)
		return ret;
	ret = bind_asid(sim, vm, &cmd->error);
	start->handle = vm->sev.guest->handle;
	if (!ret && gmi_sim_copy_out(cmd->data, start, sizeof(*start)))
		ret = -EFAULT;
	if (ret)
		give_up(sim, vm);
	return ret;
}

int gmi_sim_sev_launch_start(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_launch_start start;
	int ret;

	if (!vm->sev.is_active)
		return -ENOTTY;
	if (gmi_sim_copy_in(&start, cmd->data, sizeof(start)))
		return -EFAULT;
	ret = look_at_blob(start.dh_uaddr, start.dh_len);
	if (!ret)
		ret = look_at_blob(start.session_uaddr, start.session_len);
	if (!ret)
		ret = start_guest(sim, vm, &start, cmd);
	if (ret)
		return ret;
	vm->sev.fd = (int)cmd->sev_fd;
	return 0;
}

/* The guest that the VM's handle names; without one the handle is 0, which the firmware refuses. */
static uint32_t check_guest(const struct sim_vm *vm, enum sim_guest_state state)
{
	if (!vm->sev.guest)
		return GMI_SEV_RET_INVALID_GUEST;
	return vm->sev.guest->state == state ? GMI_SEV_RET_SUCCESS
					     : GMI_SEV_RET_INVALID_GUEST_STATE;
}

static int issue(struct gmem_sim *sim, const struct sim_vm *vm, uint32_t command,
		 enum sim_guest_state state, uint32_t *error)
{
	int ret = gmi_sim_psp_issue(sim, vm->sev.fd, command, error);

	return ret ? ret : gmi_sim_psp_end(check_guest(vm, state), error);
}

#define BLOCK 16 /* what is encrypted is a multiple of it */

/* The memory stays readable here: the host of a SEV guest sees ciphertext, and nobody needs it. */
static int add_data(struct sim_guest *guest, uint64_t addr, uint32_t size)
{
	uint8_t *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	if (gmi_sim_copy_in(bytes, addr, size)) {
		free(bytes);
		return -ENOMEM;
	}
	gmi_sim_sha256_add(guest->data, bytes, size);
	free(bytes);
	return 0;
}

int gmi_sim_sev_launch_update_data(struct gmem_sim *sim, struct sim_vm *vm,
				   struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_launch_update_data update;
	uint8_t byte;
	int ret;

	if (!vm->sev.is_active)
		return -ENOTTY;
	if (gmi_sim_copy_in(&update, cmd->data, sizeof(update)))
		return -EFAULT;
	if (!update.len || update.uaddr + update.len < update.uaddr)
		return -EINVAL;
	if (gmi_sim_copy_in(&byte, update.uaddr, 1) ||
	    gmi_sim_copy_in(&byte, update.uaddr + update.len - 1, 1))
		return -ENOMEM;
	ret = issue(sim, vm, GMEM_SIM_SEV_LAUNCH_UPDATE_DATA, GUEST_LAUNCHING, &cmd->error);
	if (ret)
		return ret;
	if (update.uaddr % BLOCK || update.len % BLOCK)
		return gmi_sim_psp_end(GMI_SEV_RET_INVALID_LEN, &cmd->error);
	return add_data(vm->sev.guest, update.uaddr, update.len);
}

/* __sev_launch_update_vmsa() */
static int measure_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu, struct gmi_kvm_sev_cmd *cmd)
{
	struct sim_vm *vm = vcpu->vm;
	uint8_t page[SIM_PAGE];
	int ret = gmi_sim_vmsa_sync(vcpu, vm->sev.features, page);

	if (!ret)
		ret = issue(sim, vm, GMEM_SIM_SEV_LAUNCH_UPDATE_VMSA, GUEST_LAUNCHING, &cmd->error);
	if (ret)
		return ret;
	gmi_sim_sha256_add(vm->sev.guest->data, page, sizeof(page));
	vcpu->is_protected = true;
	return 0;
}

int gmi_sim_sev_launch_update_vmsa(struct gmem_sim *sim, struct sim_vm *vm,
				   struct gmi_kvm_sev_cmd *cmd)
{
	int ret = 0;

	if (!vm->sev.is_es)
		return -ENOTTY;
	gmi_sim_lock_vcpus(sim, vm);
	for (struct sim_vcpu *vcpu = vm->first_vcpu; vcpu && !ret; vcpu = vcpu->next)
		ret = measure_vcpu(sim, vcpu, cmd);
	gmi_sim_unlock_vcpus(sim, vm);
	return ret;
}

/* What LAUNCH_MEASURE hands out: the digest, under a key that host and owner share, and a nonce. */
struct measurement {
	uint8_t mac[SIM_SHA256];
	uint8_t nonce[16];
};

/*
 * UNVERIFIED: the order of the bytes under the key, from the firmware's published description as
 * QEMU's owners' tools compute it. The key is all zeroes here, and so is the nonce.
 */
static void make_measurement(const struct gmem_sim *sim, struct sim_guest *guest,
			     struct measurement *ret_measurement)
{
	struct {
		uint8_t context, api_major, api_minor, build;
		uint32_t policy;
		uint8_t digest[SIM_SHA256];
		uint8_t nonce[16];
	} bytes = {
		.context = 4,
		.api_major = (uint8_t)sim->psp.machine.api_major,
		.api_minor = (uint8_t)sim->psp.machine.api_minor,
		.policy = (uint32_t)guest->policy,
	};
	static const uint8_t key[16];

	gmi_sim_sha256_get(guest->data, guest->digest);
	memcpy(bytes.digest, guest->digest, sizeof(bytes.digest));
	*ret_measurement = (struct measurement){0};
	gmi_sim_hmac_sha256(key, sizeof(key), &bytes, sizeof(bytes), ret_measurement->mac);
}

/* All of the buffer is written, with zeroes behind the measurement. */
static int put_measurement(const struct measurement *measurement, uint64_t addr, uint32_t size)
{
	uint8_t *blob = calloc(1, size);
	int ret;

	if (!blob)
		return -ENOMEM;
	memcpy(blob, measurement, sizeof(*measurement));
	ret = gmi_sim_copy_out(addr, blob, size);
	free(blob);
	return ret ? -EFAULT : 0;
}

/* A buffer too small is how the size is asked for; only then the firmware tells it on failure. */
static int measure(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_launch_measure *args,
		   struct gmi_kvm_sev_cmd *cmd)
{
	struct measurement measurement;
	uint32_t size = args->len;
	int ret = issue(sim, vm, GMEM_SIM_SEV_LAUNCH_MEASURE, GUEST_LAUNCHING, &cmd->error);

	args->len = ret ? 0 : sizeof(measurement);
	if (!ret && (size < sizeof(measurement) || !args->uaddr))
		ret = gmi_sim_psp_end(GMI_SEV_RET_INVALID_LEN, &cmd->error);
	if (ret && size)
		return ret;
	if (!ret) {
		make_measurement(sim, vm->sev.guest, &measurement);
		vm->sev.guest->state = GUEST_SECRET;
		ret = put_measurement(&measurement, args->uaddr, size);
	}
	return gmi_sim_copy_out(cmd->data, args, sizeof(*args)) ? -EFAULT : ret;
}

int gmi_sim_sev_launch_measure(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_launch_measure args;

	if (!vm->sev.is_active)
		return -ENOTTY;
	if (gmi_sim_copy_in(&args, cmd->data, sizeof(args)))
		return -EFAULT;
	if (args.uaddr && args.len > BLOB_MAX)
		return -EINVAL;
	return measure(sim, vm, &args, cmd);
}

int gmi_sim_sev_launch_finish(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	int ret;

	if (!vm->sev.is_active)
		return -ENOTTY;
	ret = issue(sim, vm, GMEM_SIM_SEV_LAUNCH_FINISH, GUEST_SECRET, &cmd->error);
	if (!ret)
		vm->sev.guest->state = GUEST_RUNNING;
	return ret;
}

static uint32_t state_number(const struct sim_guest *guest)
{
	if (guest->state == GUEST_RUNNING)
		return STATE_RUNNING;
	return guest->state == GUEST_SECRET ? STATE_SECRET : STATE_LAUNCHING;
}

int gmi_sim_sev_guest_status(struct gmem_sim *sim, struct sim_vm *vm, struct gmi_kvm_sev_cmd *cmd)
{
	struct gmi_kvm_sev_guest_status status;
	int ret;

	if (!vm->sev.is_active)
		return -ENOTTY;
	ret = gmi_sim_psp_issue(sim, vm->sev.fd, GMEM_SIM_SEV_GUEST_STATUS, &cmd->error);
	if (!ret && !vm->sev.guest)
		ret = gmi_sim_psp_end(GMI_SEV_RET_INVALID_GUEST, &cmd->error);
	if (ret)
		return ret;
	status = (struct gmi_kvm_sev_guest_status){
		.handle = vm->sev.guest->handle,
		.policy = (uint32_t)vm->sev.guest->policy,
		.state = state_number(vm->sev.guest),
	};
	return gmi_sim_copy_out(cmd->data, &status, sizeof(status));
}
