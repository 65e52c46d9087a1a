// SPDX-License-Identifier: GPL-2.0-only
/*
 * An emulator plugin: which instructions of the guest run, and what they write.
 *
 * Between two marks that the generator of packets executes (an exchange of a
 * register with itself, which does nothing), each instruction of the guest's
 * kernel is counted by address and processor, and each cache line that a store
 * of a kernel module touches is noted. When the emulator ends, the file "out"
 * gets a line for each:
 *   i ADDRESS CPU COUNT     an instruction
 *   w ADDRESS CPU LINE      a store, the address of the cache line in it
 *
 * Debian 12 ships no qemu-plugin.h, so what is used of version 1 of the plugin
 * interface is declared here (docs/devel/tcg-plugins.rst).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	union {
		struct {
			int smp_vcpus;
			int max_vcpus;
		} system;
	};
} qemu_info_t;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };

typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int cpu, void *data);
typedef void (*mem_cb)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data);
typedef void (*exit_cb)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb,
					    enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_cb cb,
				      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw rw,
				      void *data);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define CPUS 8
#define LINE 64
#define BUCKETS (1 << 16)

/* Where x86-64 Linux has its modules, and the kernel below them. */
#define KERNEL 0xffffffff80000000ull
#define MODULES 0xffffffffa0000000ull

static const uint8_t mark_on[] = { 0x66, 0x87, 0xdb };  /* xchg %bx, %bx */
static const uint8_t mark_off[] = { 0x66, 0x87, 0xc9 }; /* xchg %cx, %cx */

struct place {
	struct place *next;
	uint64_t address;
	uint64_t line; /* 0: an instruction */
	uint64_t count[CPUS];
};

static struct place *places[BUCKETS];
static const char *out = "trace.out";
static bool on[CPUS];

static struct place *find(uint64_t address, uint64_t line)
{
	uint64_t hash = (address ^ line * 31) * 0x9e3779b97f4a7c15ull;
	struct place **head = &places[hash >> 48];
	struct place *place;

	for (place = *head; place; place = place->next)
		if (place->address == address && place->line == line)
			return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		abort();
	place->address = address;
	place->line = line;
	place->next = *head;
	*head = place;
	return place;
}

static void turn_on(unsigned int cpu, void *data)
{
	on[cpu % CPUS] = true;
}

static void turn_off(unsigned int cpu, void *data)
{
	on[cpu % CPUS] = false;
}

static void executed(unsigned int cpu, void *data)
{
	struct place *place = data;

	if (on[cpu % CPUS])
		place->count[cpu % CPUS]++;
}

static void stored(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
	struct place *place = data;

	/* The registration asks for stores, but this version reports loads as well. */
	if (on[cpu % CPUS] && qemu_plugin_mem_is_store(info))
		find(place->address, address / LINE * LINE)->count[cpu % CPUS]++;
}

static bool is(struct qemu_plugin_insn *insn, const uint8_t *mark)
{
	return qemu_plugin_insn_size(insn) == sizeof(mark_on) &&
	       !memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark_on));
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	for (size_t n = 0; n < count; n++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, n);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		struct place *place;

		if (address < KERNEL)
			continue;
		if (is(insn, mark_on))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, turn_on,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (is(insn, mark_off))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, turn_off,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		place = find(address, 0);
		qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS,
						       place);
		if (address >= MODULES)
			qemu_plugin_register_vcpu_mem_cb(insn, stored, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_W, place);
	}
}

static void ended(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");

	if (!file)
		return;
	for (size_t n = 0; n < BUCKETS; n++)
		for (struct place *place = places[n]; place; place = place->next)
			for (int cpu = 0; cpu < CPUS; cpu++) {
				if (!place->count[cpu])
					continue;
				if (place->line)
					fprintf(file, "w %llx %d %llx\n",
						(unsigned long long)place->address, cpu,
						(unsigned long long)place->line);
				else
					fprintf(file, "i %llx %d %llu\n",
						(unsigned long long)place->address, cpu,
						(unsigned long long)place->count[cpu]);
			}
	fclose(file);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	if (strcmp(info->target_name, "x86_64"))
		return -1;
	if (argc > 0 && !strncmp(argv[0], "out=", 4))
		out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
