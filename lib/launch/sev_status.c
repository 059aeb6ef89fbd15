/* SPDX-License-Identifier: MIT */
/* Words for the codes of the SEV firmware. */
#include <libgmem/snp.h>

#include "uapi_sev.h"

static const char *const texts[] = {
	[GMI_SEV_RET_SUCCESS] = "success",
	[GMI_SEV_RET_INVALID_PLATFORM_STATE] = "invalid platform state",
	[GMI_SEV_RET_INVALID_GUEST_STATE] = "invalid guest state",
	[GMI_SEV_RET_INVALID_CONFIG] = "invalid configuration",
	[GMI_SEV_RET_INVALID_LEN] = "invalid length",
	[GMI_SEV_RET_ALREADY_OWNED] = "the platform is owned already",
	[GMI_SEV_RET_INVALID_CERTIFICATE] = "invalid certificate",
	[GMI_SEV_RET_POLICY_FAILURE] = "the guest policy does not allow it",
	[GMI_SEV_RET_INACTIVE] = "the guest is not active",
	[GMI_SEV_RET_INVALID_ADDRESS] = "invalid address",
	[GMI_SEV_RET_BAD_SIGNATURE] = "bad signature",
	[GMI_SEV_RET_BAD_MEASUREMENT] = "the measurement differs from the expected one",
	[GMI_SEV_RET_ASID_OWNED] = "the ASID is owned by another guest",
	[GMI_SEV_RET_INVALID_ASID] = "invalid ASID",
	[GMI_SEV_RET_WBINVD_REQUIRED] = "caches have to be flushed first",
	[GMI_SEV_RET_DFFLUSH_REQUIRED] = "the data fabric has to be flushed first",
	[GMI_SEV_RET_INVALID_GUEST] = "invalid guest",
	[GMI_SEV_RET_INVALID_COMMAND] = "invalid command",
	[GMI_SEV_RET_ACTIVE] = "the guest is active",
	[GMI_SEV_RET_HWSEV_RET_PLATFORM] = "a hardware condition of the platform",
	[GMI_SEV_RET_HWSEV_RET_UNSAFE] = "a hardware condition that is unsafe",
	[GMI_SEV_RET_UNSUPPORTED] = "not supported",
	[GMI_SEV_RET_INVALID_PARAM] = "invalid parameter",
	[GMI_SEV_RET_RESOURCE_LIMIT] = "a resource of the firmware is used up",
	[GMI_SEV_RET_SECURE_DATA_INVALID] = "secure data is invalid",
	[GMI_SEV_RET_INVALID_PAGE_SIZE] = "invalid page size",
	[GMI_SEV_RET_INVALID_PAGE_STATE] = "invalid page state",
	[GMI_SEV_RET_INVALID_MDATA_ENTRY] = "invalid metadata entry",
	[GMI_SEV_RET_INVALID_PAGE_OWNER] = "the page has another owner",
	[GMI_SEV_RET_AEAD_OFLOW] = "a counter of encryption is used up",
	[GMI_SEV_RET_EXIT_RING_BUFFER] = "the ring buffer mode was left",
	[GMI_SEV_RET_RMP_INIT_REQUIRED] = "the RMP has to be initialized first",
	[GMI_SEV_RET_BAD_SVN] = "bad security version",
	[GMI_SEV_RET_BAD_VERSION] = "bad version",
	[GMI_SEV_RET_SHUTDOWN_REQUIRED] = "a shutdown is needed first",
	[GMI_SEV_RET_UPDATE_FAILED] = "the update failed",
	[GMI_SEV_RET_RESTORE_REQUIRED] = "a restore is needed first",
	[GMI_SEV_RET_RMP_INITIALIZATION_FAILED] = "the RMP could not be initialized",
	[GMI_SEV_RET_INVALID_KEY] = "invalid key",
	[GMI_SEV_RET_SHUTDOWN_INCOMPLETE] = "the shutdown is not complete",
	[GMI_SEV_RET_INCORRECT_BUFFER_LENGTH] = "incorrect length of a buffer",
	[GMI_SEV_RET_EXPAND_BUFFER_LENGTH_REQUEST] = "a larger buffer is needed",
	[GMI_SEV_RET_SPDM_REQUEST] = "an SPDM request is due",
	[GMI_SEV_RET_SPDM_ERROR] = "an SPDM error",
	[GMI_SEV_RET_ERR_IN_DEV_CONN] = "an error of the connection to a device",
	[GMI_SEV_RET_INVALID_DEV_CTX] = "invalid context of a device",
	[GMI_SEV_RET_INVALID_TDI_CTX] = "invalid context of a device interface",
	[GMI_SEV_RET_INVALID_TDI] = "invalid device interface",
	[GMI_SEV_RET_RECLAIM_REQUIRED] = "memory has to be reclaimed first",
	[GMI_SEV_RET_IN_USE] = "in use",
	[GMI_SEV_RET_INVALID_DEV_STATE] = "invalid state of a device",
	[GMI_SEV_RET_INVALID_TDI_STATE] = "invalid state of a device interface",
	[GMI_SEV_RET_DEV_CERT_CHANGED] = "the certificate of a device changed",
	[GMI_SEV_RET_RESYNC_REQ] = "a resynchronization is due",
	[GMI_SEV_RET_RESPONSE_TOO_LARGE] = "the response is too large",
};

GMEM_API const char *gmem_snp_fw_text(uint64_t fw_error)
{
	if (fw_error == GMI_SEV_RET_NO_FW_CALL)
		return "the firmware was not called";
	if (fw_error >= sizeof(texts) / sizeof(texts[0]) || !texts[fw_error])
		return "a code without a name";
	return texts[fw_error];
}
