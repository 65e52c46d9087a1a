// SPDX-License-Identifier: GPL-2.0-only
/*
 * Refuses one call that nlb makes to the kernel, chosen by its number: the
 * function called does not run, and its answer is that of a failure.
 *
 * insmod refuse.ko functions=nf_register_net_hook:-12,pcpu_alloc_noprof:0,…
 * names the functions and what each answers. Calls count if they come from
 * nlb's text, in the context of a process of the name "program", outside of
 * softirqs. Write 0 to "calls" and N to "nth", run the program, and read from
 * "calls" how many there were and from "refused" which one was refused, if any.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#define FUNCTIONS_MAX 48
#define NAME_MAX_LEN 64

struct refusable {
	struct kprobe probe;
	long answer;
};

static char *functions[FUNCTIONS_MAX];
static unsigned int count;
module_param_array(functions, charp, &count, 0444);
MODULE_PARM_DESC(functions, "NAME:ANSWER of each function");

static char program[TASK_COMM_LEN];
module_param_string(program, program, sizeof(program), 0644);
MODULE_PARM_DESC(program, "name of the process whose calls count");

static unsigned int nth;
module_param(nth, uint, 0644);
MODULE_PARM_DESC(nth, "which call is refused; 0: none");

static unsigned int calls;
module_param(calls, uint, 0644);
MODULE_PARM_DESC(calls, "calls since 0 was written to it");

static char refused[NAME_MAX_LEN];
module_param_string(refused, refused, sizeof(refused), 0644);
MODULE_PARM_DESC(refused, "the function that was refused last");

static struct refusable refusables[FUNCTIONS_MAX];
static struct kprobe *probes[FUNCTIONS_MAX];
static long answer;

/* Runs in place of a function that is refused; its caller is that one's. */
static noinline long refuse(void)
{
	return READ_ONCE(answer);
}

static bool from_nlb(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN];

	sprint_symbol(text, address);
	return strstr(text, "[nlb]");
}

/* A reallocation to no size is how the kernel's Rust crates free. */
static bool frees(const struct kprobe *probe, struct pt_regs *regs)
{
	return strstr(probe->symbol_name, "realloc") && !regs_get_kernel_argument(regs, 1);
}

/* At the first instruction of a function: its return address is on top of the stack. */
static int before(struct kprobe *probe, struct pt_regs *regs)
{
	struct refusable *one = container_of(probe, struct refusable, probe);

	if (in_serving_softirq() || strcmp(current->comm, program) ||
	    frees(probe, regs) || !from_nlb(*(unsigned long *)regs->sp))
		return 0;
	if (++calls != nth)
		return 0;
	strscpy(refused, probe->symbol_name, sizeof(refused));
	WRITE_ONCE(answer, one->answer);
	regs->ip = (unsigned long)refuse;
	return 1;
}
NOKPROBE_SYMBOL(before);

/*
 * That there is one keeps the probe from being made a jump, whose handler cannot
 * choose where to go on (Documentation/trace/kprobes.rst, "Jump optimization").
 */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static int __init refuse_init(void)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		char *colon = strchr(functions[i], ':');

		if (!colon || kstrtol(colon + 1, 10, &refusables[i].answer))
			return -EINVAL;
		*colon = 0;
		refusables[i].probe.symbol_name = functions[i];
		refusables[i].probe.pre_handler = before;
		refusables[i].probe.post_handler = after;
		probes[i] = &refusables[i].probe;
	}
	return register_kprobes(probes, count);
}
module_init(refuse_init);

static void __exit refuse_exit(void)
{
	unregister_kprobes(probes, count);
}
module_exit(refuse_exit);

MODULE_DESCRIPTION("Refuses one call of nlb to the kernel");
MODULE_LICENSE("GPL");
