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
	.priority = -500,
};

static int __init empty_hook_init(void)
{
	int result;

	ops.hook = accept ? handle_accepting : handle;
	ops.dev = dev_get_by_name(&init_net, device);
	if (!ops.dev)
		return -ENODEV;
	result = nf_register_net_hook(&init_net, &ops);
	if (result)
		dev_put(ops.dev);
	return result;
}

static void __exit empty_hook_exit(void)
{
	nf_unregister_net_hook(&init_net, &ops);
	dev_put(ops.dev);
}

module_init(empty_hook_init);
module_exit(empty_hook_exit);
MODULE_DESCRIPTION("netdev ingress hook that does nothing");
MODULE_LICENSE("GPL");
