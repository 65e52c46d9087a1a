// SPDX-License-Identifier: GPL-2.0-only
/*
 * A netdev ingress hook that drops every packet and does nothing else: what
 * any hook costs at least, and so the floor that costs are told above.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter_netdev.h>

static char *device = "dummy0";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of the interface, in the first namespace");

static bool accept;
module_param(accept, bool, 0444);
MODULE_PARM_DESC(accept, "let packets pass instead of dropping them");

static int priority = -500;
module_param(priority, int, 0444);
MODULE_PARM_DESC(priority, "place among the hooks of the interface; nlb's is -500");

static bool first = true;
module_param(first, bool, 0444);
MODULE_PARM_DESC(first, "have the hook that does nothing; without it there is the backstop alone");

static bool backstop;
module_param(backstop, bool, 0444);
MODULE_PARM_DESC(backstop, "drop, as the last hook, what all others let pass");

static unsigned int handle(void *priv, struct sk_buff *skb,
			   const struct nf_hook_state *state)
{
	return NF_DROP;
}

static unsigned int handle_accepting(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static struct nf_hook_ops ops = {
	.pf = NFPROTO_NETDEV,
	.hooknum = NF_NETDEV_INGRESS,
};

static struct nf_hook_ops last_ops = {
	.hook = handle,
	.pf = NFPROTO_NETDEV,
	.hooknum = NF_NETDEV_INGRESS,
	.priority = 1000,
};


static int __init empty_hook_init(void)
{
	int result;

	ops.hook = accept ? handle_accepting : handle;
	ops.priority = priority;
	ops.dev = dev_get_by_name(&init_net, device);
	if (!ops.dev)
		return -ENODEV;
	last_ops.dev = ops.dev;
	result = backstop ? nf_register_net_hook(&init_net, &last_ops) : 0;
	if (result)
		goto put;
	if (first) {
		result = nf_register_net_hook(&init_net, &ops);
		if (result)
			goto unregister;
	}
	return 0;

unregister:
	if (backstop)
		nf_unregister_net_hook(&init_net, &last_ops);
put:
	dev_put(ops.dev);
	return result;
}

static void __exit empty_hook_exit(void)
{
	if (first)
		nf_unregister_net_hook(&init_net, &ops);
	if (backstop)
		nf_unregister_net_hook(&init_net, &last_ops);
	dev_put(ops.dev);
}

module_init(empty_hook_init);
module_exit(empty_hook_exit);
MODULE_DESCRIPTION("netdev ingress hook that does nothing");
MODULE_LICENSE("GPL");
