/* SPDX-License-Identifier: MIT */
/* The objects of the simulated kernel. */
#ifndef GMI_SIM_MODEL_H
#define GMI_SIM_MODEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libgmem/sim.h>

#include "sim_hugetlb.h"
#include "sim_profile.h"
#include "sim_rangemap.h"
#include "sim_sev.h"
#include "sim_tdx.h"
#include "uapi_kvm.h"
#include "uapi_rfc.h"

#define SIM_PAGE           4096u
#define SIM_SPACES         2u
#define SIM_MAX_SLOTS      32764u /* KVM_USER_MEM_SLOTS */
#define SIM_MAX_SLOT_PAGES ((1ull << 31) - 1)
#define SIM_USER_END       0x7ffffffff000ull /* TASK_SIZE_MAX with four levels */
#define SIM_BUCKETS        512u

/* Behind every real page of an inode's memory: what is mapped from here on raises SIGBUS. */
#define SIM_ALIAS_BASE (1ull << 61)

/* Pages of an inode above this offset cannot be backed. */
#define SIM_BACKED_END (1ull << 60)

/* A vCPU's area in the control file: struct kvm_run, the port data page, the MMIO ring. */
#define SIM_RUN_SHIFT 14
#define SIM_RUN_SIZE  (3 * SIM_PAGE)

/* What a file descriptor stands for. */
enum sim_kind {
	SIM_DEVICE,
	SIM_VM,
	SIM_VCPU,
	SIM_VIEW,
	SIM_PSP, /* /dev/sev */
	SIM_KINDS,
	SIM_OTHER, /* not the simulator's */
};

/* The head of everything that a descriptor can name; @id is the file position of the descriptor. */
struct sim_object {
	enum sim_kind kind;
	uint64_t id;
	struct sim_object *next;
};

/* A memslot. @view is NULL where it has no file or the file is gone. */
struct sim_slot {
	uint32_t id;
	uint32_t space;
	uint32_t flags;
	bool gmem_only;
	uint64_t gpa;
	uint64_t size;
	uint64_t hva;
	uint64_t offset;
	struct sim_view *view;
};

/* Slots sorted by guest address, or by offset in the file. */
struct sim_index {
	struct sim_slot **slot;
	size_t count;
	size_t capacity;
	bool by_offset;
};

struct sim_space {
	struct sim_slot **by_id;
	size_t ids;
	struct sim_index by_gpa;
};

struct sim_vm {
	struct sim_object object;
	uint32_t type;
	pid_t owner; /* stands for the kernel's mm */
	bool dead;
	uint64_t hypercall_exits;
	bool irqchip;
	bool irqchip_split;
	uint32_t tsc_khz;
	uint64_t apic_bus_ns; /* 0 is the default */
	uint32_t users;       /* threads that wait in an ioctl */
	struct sim_td *td;    /* of a TD on a machine with a TDX module */
	struct sim_rangemap attributes;
	struct sim_rangemap mmio; /* pages known to have no memslot; the value is the generation */
	uint64_t generation;      /* of the memslots */
	struct sim_space space[SIM_SPACES];
	uint32_t vcpus;         /* whose descriptors are open */
	uint32_t created_vcpus; /* also those that are gone */
	uint32_t views;
	struct sim_vcpu *first_vcpu; /* in the order of creation */
	struct sim_sev sev;
};

/* The memory. Created with the first file, gone with the last. */
struct sim_inode {
	struct sim_inode *next;
	int fd; /* the simulator's own; never given away */
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	uint64_t flags;
	uint32_t views;
	struct sim_rangemap allocated; /* the value is the policy that placed the page */
	struct sim_rangemap shared;    /* in-place conversion: what is not private */
	struct sim_rangemap policy;
	struct sim_rangemap pinned; /* the value counts the pins */
	struct sim_rangemap poisoned;
	struct sim_rangemap assigned; /* to a guest, in the RMP */

	struct sim_pool *pool; /* where its huge pages come from, or NULL: all below */
	uint64_t page_size;
	bool is_memfd;                /* of hugetlbfs, not of guest_memfd */
	struct sim_rangemap huge;     /* pages that are there; the value is the node + 1 */
	struct sim_rangemap promised; /* pages of the pool that are not there yet */
};

/* One VM's file on an inode; @vm is NULL where it came from a process that we know nothing of. */
struct sim_view {
	struct sim_object object;
	struct sim_inode *inode;
	struct sim_vm *vm;
	struct sim_index bindings;
};

struct sim_script;

struct sim_vcpu {
	struct sim_object object;
	struct sim_vm *vm;
	struct sim_vcpu *next; /* of the same VM */
	uint32_t number;
	bool busy;      /* a thread is in an ioctl that takes the vCPU's mutex */
	uint32_t users; /* threads that are in one, or wait for it */
	atomic_bool interrupted;
	struct gmi_kvm_run *run;
	struct sim_script *script;
	uint8_t *state;    /* registers and the like; sim_regs.h */
	bool is_protected; /* the guest alone has its registers now */
	bool is_debugged;
	void *cpuid;
	size_t cpuid_size;
	bool td_ready; /* KVM_TDX_INIT_VCPU is done */
	uint64_t td_rcx;
};

struct sim_policy {
	int mode;
	uint64_t nodes;
};

/* A mapping of a view, as it was made through the table. */
struct sim_mapping {
	uint64_t addr;
	uint64_t size;
	uint64_t offset;
	struct sim_view *view;
};

struct gmem_sim {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* a vCPU left KVM_RUN */
	atomic_uint waiters;
	const struct sim_profile *profile;
	uint64_t memory_limit;
	uint32_t nodes;
	int control_fd;
	uint64_t control_dev;
	uint64_t control_ino;
	uint64_t random;
	pid_t random_owner;
	pid_t *pid; /* a page that a fork wipes; NULL where there is none */
	size_t objects;
	size_t inodes;
	struct sim_inode *first_inode;
	size_t reap_at;
	struct sim_object *bucket[SIM_BUCKETS];
	struct sim_mapping *mapping;
	size_t mappings;
	size_t mapping_capacity;
	struct sim_policy *policy; /* the values of policy maps; the first is the default */
	size_t policies;
	struct sim_rangemap host_policy; /* keyed by address */
	struct sim_rangemap task_policy; /* keyed by thread id */
	uint64_t interrupt_after;        /* pages; UINT64_MAX is never */
	struct sim_pool pool[SIM_POOLS];
	struct sim_psp psp;
	struct sim_tdx_host tdx;
	_Atomic uint64_t slow_ns; /* that a MiB takes beyond the real time */
};

#define sim_container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline bool sim_has(const struct gmem_sim *sim, uint32_t feature)
{
	return sim->profile->features & feature;
}

/* sim.c: this process, without a system call most of the time. With the lock. */
pid_t gmi_sim_pid(const struct gmem_sim *sim);

/* sim.c: the table of objects and their lifetime. */
void gmi_sim_lock(struct gmem_sim *sim);
void gmi_sim_unlock(struct gmem_sim *sim);
void gmi_sim_yield(struct gmem_sim *sim);
void gmi_sim_pause(struct gmem_sim *sim);
struct sim_object *gmi_sim_find(struct gmem_sim *sim, uint64_t id);
void gmi_sim_insert(struct gmem_sim *sim, struct sim_object *object);
void gmi_sim_remove(struct gmem_sim *sim, struct sim_object *object);
void gmi_sim_reap(struct gmem_sim *sim);
void gmi_sim_reap_if_grown(struct gmem_sim *sim);
void gmi_sim_reap_closed(struct gmem_sim *sim, struct sim_object *object);
bool gmi_sim_view_is_alive(struct sim_view *view);

/* fd.c: what a descriptor stands for. */
enum sim_kind gmi_sim_kind(struct gmem_sim *sim, int fd, struct sim_object **ret_object);
int gmi_sim_new_fd(struct gmem_sim *sim, int hidden, enum sim_kind kind, bool cloexec,
		   uint64_t *ret_id);
bool gmi_sim_id_is_held(int hidden, uint64_t id);
int gmi_sim_new_memory(const char *name, uint64_t size, uint64_t *ret_dev, uint64_t *ret_ino);

/* copy.c: the caller's memory, where a bad pointer is -EFAULT. */
int gmi_sim_copy_in(void *to, uint64_t from, size_t size);
int gmi_sim_copy_out(uint64_t to, const void *from, size_t size);

/* caps.c */
int gmi_sim_check_extension(const struct gmem_sim *sim, const struct sim_vm *vm, uint64_t cap);
bool gmi_sim_has_private_memory(const struct sim_vm *vm);
bool gmi_sim_has_protected_state(const struct sim_vm *vm);
uint64_t gmi_sim_create_flags(const struct gmem_sim *sim, const struct sim_vm *vm);

/* ioctl.c: dispatch by kind of descriptor and request. */
int gmi_sim_ioctl(struct gmem_sim *sim, int fd, uint64_t request, uint64_t arg, bool *ret_other);

/* vm.c */
int gmi_sim_create_vm(struct gmem_sim *sim, uint64_t type);
void gmi_sim_free_vm(struct gmem_sim *sim, struct sim_vm *vm);
int gmi_sim_vm_ioctl(struct gmem_sim *sim, struct sim_vm *vm, uint64_t request, uint64_t arg);

/* cpuid.c */
int gmi_sim_supported_cpuid(struct gmem_sim *sim, uint64_t arg);

/* vcpu.c */
int gmi_sim_create_vcpu(struct gmem_sim *sim, struct sim_vm *vm, uint64_t number);
void gmi_sim_free_vcpus(struct gmem_sim *sim, struct sim_vm *vm);
uint64_t gmi_sim_run_offset(const struct sim_vcpu *vcpu);
void gmi_sim_free_script(struct sim_vcpu *vcpu);
int gmi_sim_vcpu_ioctl(struct gmem_sim *sim, struct sim_vcpu *vcpu, uint64_t request, uint64_t arg);
void gmi_sim_enter_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu);
void gmi_sim_leave_vcpu(struct gmem_sim *sim, struct sim_vcpu *vcpu);

/* mmio.c: what KVM remembers of addresses without a memslot */
enum sim_mmio { MMIO_UNKNOWN, MMIO_VALID, MMIO_STALE };

enum sim_mmio gmi_sim_mmio_state(const struct sim_vm *vm, uint64_t gpa);
void gmi_sim_mmio_remember(struct sim_vm *vm, uint64_t gpa);
void gmi_sim_mmio_forget(struct sim_vm *vm, uint64_t gpa, uint64_t size);
void gmi_sim_mmio_slots_changed(const struct gmem_sim *sim, struct sim_vm *vm, bool deleted);

/* index.c and memslot.c */
struct sim_slot *gmi_sim_index_find(const struct sim_index *index, uint64_t key);
struct sim_slot *gmi_sim_index_next(const struct sim_index *index, uint64_t key);
struct sim_slot *gmi_sim_index_overlap(const struct sim_index *index, uint64_t start,
				       uint64_t size);
int gmi_sim_index_add(struct sim_index *index, struct sim_slot *slot);
void gmi_sim_index_remove(struct sim_index *index, const struct sim_slot *slot);
void gmi_sim_index_free(struct sim_index *index);
int gmi_sim_set_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_set_region2(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_get_dirty_log(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
struct sim_slot *gmi_sim_slot_at(struct sim_vm *vm, uint64_t gpa);
void gmi_sim_free_slots(struct sim_vm *vm);

/* gmem.c */
int gmi_sim_create_gmem(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_new_huge_memfd(struct gmem_sim *sim, struct sim_pool *pool);
int gmi_sim_new_view(struct gmem_sim *sim, struct sim_vm *vm, struct sim_inode *inode);
struct sim_view *gmi_sim_adopt_view(struct gmem_sim *sim, int fd, uint64_t id);
void gmi_sim_release_view(struct gmem_sim *sim, struct sim_view *view);

/* page.c: the pages that inodes have */
int gmi_sim_fallocate(struct gmem_sim *sim, struct sim_inode *inode, int mode, int64_t offset,
		      int64_t size);
int gmi_sim_allocate(struct gmem_sim *sim, struct sim_inode *inode, uint64_t offset, uint64_t size,
		     bool interruptible, uint64_t *ret_done);
bool gmi_sim_page_is_interrupted(struct gmem_sim *sim);
void gmi_sim_punch(struct sim_inode *inode, uint64_t offset, uint64_t size);
uint64_t gmi_sim_allocated(struct gmem_sim *sim);

/* mapping.c */
int gmi_sim_mmap_view(struct gmem_sim *sim, struct sim_view *view, struct sim_mapping *want,
		      int prot, int flags, int fd);
void gmi_sim_forget_mappings(struct gmem_sim *sim, uint64_t addr, uint64_t size);
void gmi_sim_forget_view(struct gmem_sim *sim, const struct sim_view *view);
const struct sim_mapping *gmi_sim_mapping_at(const struct gmem_sim *sim, uint64_t addr);
void gmi_sim_remap(struct gmem_sim *sim, const struct sim_inode *inode, uint64_t offset,
		   uint64_t size, bool private);

/* madvise.c */
int gmi_sim_madvise(struct gmem_sim *sim, uint64_t addr, uint64_t size, int advice);

/* numa.c */
int gmi_sim_mbind(struct gmem_sim *sim, uint64_t addr, uint64_t size, const struct sim_policy *want,
		  uint32_t flags);
int gmi_sim_set_mempolicy(struct gmem_sim *sim, const struct sim_policy *want);
struct sim_policy gmi_sim_policy_of(const struct gmem_sim *sim, uint64_t number);
uint64_t gmi_sim_task_policy(const struct gmem_sim *sim);
int gmi_sim_get_mempolicy(struct gmem_sim *sim, struct sim_policy *ret_policy, uint64_t addr,
			  uint64_t flags);

/* attr.c */
int gmi_sim_set_attributes(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_set_attributes2(struct gmem_sim *sim, struct sim_view *view, uint64_t arg);
int gmi_sim_convert(struct gmem_sim *sim, struct sim_inode *inode, uint64_t start, uint64_t end,
		    bool private, uint64_t *ret_obstacle);
bool gmi_sim_gpa_is_private(const struct gmem_sim *sim, struct sim_vm *vm, uint64_t gpa,
			    uint64_t *ret_end);
bool gmi_sim_offset_is_private(const struct sim_inode *inode, uint64_t offset, uint64_t *ret_end);

/* link.c */
int gmi_sim_link_gmem(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_move_context(struct gmem_sim *sim, struct sim_vm *vm, int source_fd);

/* enable_cap.c */
int gmi_sim_enable_cap(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_encrypt_op(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_encrypt_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);
int gmi_sim_release_region(struct gmem_sim *sim, struct sim_vm *vm, uint64_t arg);

#endif
