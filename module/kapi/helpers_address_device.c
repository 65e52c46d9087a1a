// SPDX-License-Identifier: GPL-2.0-only

/* A device that has addresses and carries no packets, as "dummy" is used for by others. */

#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/rtnetlink.h>

#include "helpers.h"

/* What is for an address of the device is delivered by the loopback device; nothing else is routed here. */
static netdev_tx_t nlb_address_device_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_core_stats_tx_dropped_inc(dev);
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

/*
 * No packet arrives. The handler keeps bonds and teams from taking the device as a port: it would make them another
 * type, which ends the cluster of theirs that this very device belongs to, in the middle of the enslavement. It goes with
 * the device.
 */
static rx_handler_result_t nlb_address_device_receive(struct sk_buff **skb)
{
	return RX_HANDLER_PASS;
}

static const struct net_device_ops nlb_address_device_ops = {
	.ndo_start_xmit = nlb_address_device_xmit,
};

/*
 * Without "setup" nobody can make one by rtnetlink, and without "dellink" nobody can delete one; it goes with its
 * namespace all the same (default_device_exit_batch()). There is none any more when the kind is unregistered.
 */
static struct rtnl_link_ops nlb_address_device_kind = {
	.kind = "nlb",
};

int nlb_helper_address_device_register(void)
{
	return rtnl_link_register(&nlb_address_device_kind);
}

void nlb_helper_address_device_unregister(void)
{
	rtnl_link_unregister(&nlb_address_device_kind);
}

static void nlb_address_device_setup(struct net_device *dev)
{
	dev->netdev_ops = &nlb_address_device_ops;
	dev->needs_free_netdev = true;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->lltx = true;
	dev->netns_immutable = true;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = IPV6_MIN_MTU;
}

/* Makes one, up, in @net. Context: process, RTNL. */
struct net_device *nlb_helper_address_device_make(struct net *net)
{
	struct net_device *dev;
	int err;

	dev = alloc_netdev(0, "nlb%d", NET_NAME_ENUM, nlb_address_device_setup);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev_net_set(dev, net);
	dev->rtnl_link_ops = &nlb_address_device_kind;
	err = register_netdevice(dev);
	if (err) {
		free_netdev(dev);
		return ERR_PTR(err);
	}
#if IS_ENABLED(CONFIG_IPV6)
	{
		struct inet6_dev *idev = __in6_dev_get_rtnl_net(dev);

		/*
		 * Set down and up, as a VRF does with a new port, the device keeps its IPv6 addresses as it does the others;
		 * their routes are made anew. It makes none of its own.
		 */
		if (idev) {
			WRITE_ONCE(idev->cnf.keep_addr_on_down, 1);
			WRITE_ONCE(idev->cnf.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
		}
	}
#endif
	err = netdev_rx_handler_register(dev, nlb_address_device_receive, NULL);
	if (!err)
		err = dev_open(dev, NULL);
	if (err) {
		unregister_netdevice(dev);
		return ERR_PTR(err);
	}
	return dev;
}

bool nlb_helper_is_address_device(const struct net_device *dev)
{
	return dev->netdev_ops == &nlb_address_device_ops;
}
