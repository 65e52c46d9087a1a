// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds the RTNL for as long as a test wants: who writes to hold/rtnl in
 * debugfs takes it, and gives it back when somebody opens hold/let-go for
 * reading, or when killed. hold/rtnl says whether it is held, 1 or 0.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

static DECLARE_COMPLETION(let_go);
static struct dentry *dir;
static bool held;

static ssize_t rtnl_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	int result;

	rtnl_lock();
	reinit_completion(&let_go);
	WRITE_ONCE(held, true);
	result = wait_for_completion_killable(&let_go);
	WRITE_ONCE(held, false);
	rtnl_unlock();
	return result ?: len;
}

static ssize_t rtnl_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	return simple_read_from_buffer(to, len, pos, READ_ONCE(held) ? "1\n" : "0\n", 2);
}

static const struct file_operations rtnl_operations = {
	.owner = THIS_MODULE,
	.read = rtnl_read,
	.write = rtnl_write,
};

static int let_go_open(struct inode *inode, struct file *file)
{
	complete(&let_go);
	return 0;
}

static const struct file_operations let_go_operations = {
	.owner = THIS_MODULE,
	.open = let_go_open,
};

static int __init hold_init(void)
{
	dir = debugfs_create_dir("hold", NULL);
	debugfs_create_file("rtnl", 0600, dir, NULL, &rtnl_operations);
	debugfs_create_file("let-go", 0400, dir, NULL, &let_go_operations);
	return 0;
}

static void __exit hold_exit(void)
{
	debugfs_remove(dir);
}

module_init(hold_init);
module_exit(hold_exit);
MODULE_DESCRIPTION("holds a lock of the kernel on request");
MODULE_LICENSE("GPL");
