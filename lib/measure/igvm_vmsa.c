/* SPDX-License-Identifier: MIT */
/* Turns the VMSA page of a file into the one that KVM makes from its registers. */
#include "igvm_vmsa.h"

#include <errno.h>
#include <string.h>

/* What KVM copies into the VMSA (sev.c sev_es_sync_vmsa(), 7.3.4): fields that KVM_SET_SREGS,
 * KVM_SET_REGS, KVM_SET_MSRS, KVM_SET_XSAVE and the like reach. */
static const struct {
	uint16_t first;
	uint16_t end;
} settable[] = {
	{0x000, 0x0a0}, /* segments, descriptor tables */
	{0x0cb, 0x0cc}, /* CPL */
	{0x0d0, 0x0d8}, /* EFER */
	{0x140, 0x1a0}, /* XSS, CR4, CR3, CR0, DR7, DR6, RFLAGS, RIP, DR0 to DR3 */
	{0x1d8, 0x1e0}, /* RSP */
	{0x1f8, 0x248}, /* RAX, STAR to SYSENTER_EIP, CR2 */
	{0x268, 0x270}, /* G_PAT */
	{0x2e8, 0x2ec}, /* PKRU */
	{0x308, 0x320}, /* RCX, RDX, RBX */
	{0x328, 0x380}, /* RBP, RSI, RDI, R8 to R15 */
	{0x3b0, 0x3b8}, /* SEV_FEATURES */
	{0x3e8, 0x3f0}, /* XCR0 */
	{0x400, 0x414}, /* x87 DP, MXCSR, FTW, FSW, FCW, FOP */
	{0x418, 0x670}, /* x87 RIP; x87, XMM and YMM registers */
};

enum {
	VMSA_EFER = 0xd0,
	VMSA_CR4 = 0x148,
	VMSA_CR0 = 0x158,
	VMSA_DR7 = 0x160,
	VMSA_RFLAGS = 0x170,
};

#define EFER_SVME    UINT64_C(0x1000)
#define CR4_MCE      UINT64_C(0x40)
#define CR0_ET       UINT64_C(0x10)
#define CR0_CD_NW    UINT64_C(0x60000000)
#define DR7_FIXED    UINT64_C(0x400)
#define RFLAGS_FIXED UINT64_C(0x2)

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* What KVM adds: svm.c svm_set_efer() and svm_set_cr4(), regs.c __set_regs() (7.3.4). */
static void set_bits(uint8_t *page, size_t offset, uint64_t bits)
{
	bits |= get_u64(page + offset);
	memcpy(page + offset, &bits, sizeof(bits));
}

static int check_zero(const uint8_t *page, uint16_t first, uint16_t end, uint64_t offset,
		      struct gmem_measure_error *error)
{
	for (uint16_t i = first; i < end; i++)
		if (page[i])
			return gmi_fail(error, EOPNOTSUPP, offset + i,
					"IGVM: the VMSA's field at 0x%x cannot be set through KVM",
					i);
	return 0;
}

static int check_fields(const uint8_t *page, uint64_t offset, struct gmem_measure_error *error)
{
	uint16_t at = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(settable) / sizeof(settable[0]); i++) {
		ret = check_zero(page, at, settable[i].first, offset, error);
		at = settable[i].end;
	}
	return ret ? ret : check_zero(page, at, GMEM_PAGE_SIZE, offset, error);
}

/* KVM clears CD and NW (svm_set_cr0()), VMMs set ET, and with other bits in DR7 the launch cannot be
 * finished (sev.c sev_es_sync_vmsa()). */
static int check_values(const uint8_t *page, uint64_t offset, struct gmem_measure_error *error)
{
	uint64_t cr0 = get_u64(page + VMSA_CR0), dr7 = get_u64(page + VMSA_DR7);

	if (!(cr0 & CR0_ET) || cr0 & CR0_CD_NW)
		return gmi_fail(error, EOPNOTSUPP, offset + VMSA_CR0,
				"IGVM: the VMSA's CR0 0x%llx lacks ET, or has CD or NW",
				(unsigned long long)cr0);
	if (dr7 & ~DR7_FIXED)
		return gmi_fail(error, EOPNOTSUPP, offset + VMSA_DR7,
				"IGVM: the VMSA's DR7 0x%llx enables breakpoints",
				(unsigned long long)dr7);
	return 0;
}

int gmi_igvm_make_vmsa(const uint8_t *from, uint64_t offset, uint8_t *page,
		       struct gmem_measure_error *error)
{
	int ret = check_fields(from, offset, error);

	if (!ret)
		ret = check_values(from, offset, error);
	if (ret)
		return ret;
	memcpy(page, from, GMEM_PAGE_SIZE);
	set_bits(page, VMSA_EFER, EFER_SVME);
	set_bits(page, VMSA_CR4, CR4_MCE);
	set_bits(page, VMSA_RFLAGS, RFLAGS_FIXED);
	return 0;
}
