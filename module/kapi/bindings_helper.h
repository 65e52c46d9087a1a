/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bindgen reads: the kernel's headers that the module needs, and the
 * helpers for what is a macro or an inline function there. The allowlist is
 * in bindgen_parameters beside this file.
 */
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_netdev.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <net/addrconf.h>
#include <net/genetlink.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <crypto/sha2.h>
#include "helpers.h"

/*
 * Fields that live in anonymous unions of struct sk_buff: where they are is
 * asked of the C compiler, so that a reordering between kernels does not matter.
 */
enum {
	NLB_SKB_PROTOCOL = offsetof(struct sk_buff, protocol),
	NLB_SKB_VLAN_TCI = offsetof(struct sk_buff, vlan_tci),
	NLB_SKB_PKT_TYPE = offsetof(struct sk_buff, __pkt_type_offset),
	NLB_SKB_PKT_TYPE_MASK = PKT_TYPE_MAX,
	NLB_SKB_MAC_HEADER = offsetof(struct sk_buff, mac_header),
	NLB_SKB_IIF = offsetof(struct sk_buff, skb_iif),
};

/* Constants that bindgen does not see, for they are computed or shadowed by a macro of their own name. */
enum {
	NLB_IFF_NOARP = IFF_NOARP,
	NLB_IFF_UP = IFF_UP,
	NLB_IFF_LOOPBACK = IFF_LOOPBACK,
	NLB_IFF_MULTICAST = IFF_MULTICAST,
	NLB_NETDEV_INGRESS = NF_NETDEV_INGRESS,
	NLB_NETDEV_EGRESS = NF_NETDEV_EGRESS,
	NLB_INET_LOCAL_OUT = NF_INET_LOCAL_OUT,
	NLB_INET_PRE_ROUTING = NF_INET_PRE_ROUTING,
	NLB_NLA_VALIDATE_RANGE = NLA_VALIDATE_RANGE,
	NLB_GENL_MCAST_CAP_NET_ADMIN = GENL_MCAST_CAP_NET_ADMIN,
	NLB_EOPNOTSUPP = EOPNOTSUPP,
};
