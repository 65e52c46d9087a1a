// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the notifications about devices, by kind, in all namespaces: what a
 * test has really made happen. Read netdev_events/seen in debugfs: a line
 * "NETDEV_UP 12" for each kind that this kernel knows.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/seq_file.h>

#define KINDS (NETDEV_XDP_FEAT_CHANGE + 1)

static atomic_t seen[KINDS];
static struct dentry *dir;

static int count(struct notifier_block *block, unsigned long event, void *info)
{
	if (event < KINDS)
		atomic_inc(&seen[event]);
	return NOTIFY_DONE;
}

static struct notifier_block block = {
	.notifier_call = count,
	/* Before those that may forbid what is told. */
	.priority = INT_MAX,
};

static int seen_show(struct seq_file *file, void *data)
{
	int kind;

	for (kind = NETDEV_UP; kind < KINDS; kind++)
		seq_printf(file, "%s %d\n", netdev_cmd_to_name(kind), atomic_read(&seen[kind]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(seen);

static int __init netdev_events_init(void)
{
	int error = register_netdevice_notifier(&block);

	if (error)
		return error;
	/* What registering has told of the devices that were there does not count. */
	memset(seen, 0, sizeof(seen));
	dir = debugfs_create_dir("netdev_events", NULL);
	debugfs_create_file("seen", 0400, dir, NULL, &seen_fops);
	return 0;
}

static void __exit netdev_events_exit(void)
{
	debugfs_remove(dir);
	unregister_netdevice_notifier(&block);
}

module_init(netdev_events_init);
module_exit(netdev_events_exit);
MODULE_DESCRIPTION("counter of notifications about devices");
MODULE_LICENSE("GPL");
