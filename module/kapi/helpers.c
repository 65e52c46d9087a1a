// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions for what the kernel's headers offer only as macro or inline.
 * Nothing here decides anything: policy is Rust's.
 */
#include <crypto/utils.h>
#include <linux/bottom_half.h>
#include <linux/etherdevice.h>
#include <linux/if_macvlan.h>
#include <linux/igmp.h>
#include <linux/inetdevice.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include <net/net_namespace.h>
#include <net/route.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "helpers.h"

/* An empty skb with room for an Ethernet header before and @len bytes of payload. */
struct sk_buff *nlb_helper_alloc_frame(struct net_device *dev, unsigned int len)
{
	/* Read once: another CPU may change what the device needs. */
	unsigned int head = LL_RESERVED_SPACE(dev);
	unsigned int tail = READ_ONCE(dev->needed_tailroom);
	struct sk_buff *skb;

	skb = alloc_skb(head + len + tail, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, head);
	skb_reset_network_header(skb);
	skb_put(skb, len);
	return skb;
}

/* Cuts the payload to @len, puts the Ethernet header with the device's own MAC before it, and sends it. */
void nlb_helper_send_frame(struct sk_buff *skb, struct net_device *dev,
			   const u8 *dst, u16 protocol, unsigned int len)
{
	skb_trim(skb, len);
	skb->dev = dev;
	skb->protocol = htons(protocol);
	skb->priority = TC_PRIO_CONTROL;
	if (dev_hard_header(skb, dev, protocol, dst, NULL, skb->len) < 0) {
		kfree_skb(skb);
		return;
	}
	skb_reset_mac_header(skb);
	dev_queue_xmit(skb);
}

void nlb_helper_kfree_skb(struct sk_buff *skb)
{
	kfree_skb(skb);
}

void nlb_helper_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

/* The drop monitor shows this function as the place of the drop, so it is one for itself. */
noinline unsigned int nlb_helper_drop(struct sk_buff *skb, unsigned int reason, bool refused)
{
	return NF_DROP_REASON(skb, reason, refused ? EPERM : 0);
}

void nlb_helper_free_later(void *object)
{
	kvfree_rcu_mightsleep(object);
}

int nlb_helper_skb_network_offset(const struct sk_buff *skb)
{
	return skb_network_offset(skb);
}

/* A connected datagram socket is in the state of an established connection, others are in that of a closed one. */
bool nlb_helper_skb_of_connected(const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	return sk && sk_fullsock(sk) && sk->sk_type == SOCK_DGRAM &&
	       READ_ONCE(sk->sk_state) == TCP_ESTABLISHED;
}

/* -EBUSY for a buffer that others hold as well: it must not be changed, and pskb_expand_head() is a BUG on it. */
int nlb_helper_skb_ensure_writable(struct sk_buff *skb, unsigned int len)
{
	if (skb_shared(skb))
		return -EBUSY;
	return skb_ensure_writable(skb, len);
}

void nlb_helper_dev_hold(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_hold(dev, tracker, GFP_KERNEL);
}

void nlb_helper_dev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_put(dev, tracker);
}

struct net *nlb_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

/* Context: RCU read side. */
struct net *nlb_helper_dev_net_rcu(const struct net_device *dev)
{
	return dev_net_rcu(dev);
}

/* A device that is unregistered, or moves, is out of the list before anybody is told. Context: RTNL. */
bool nlb_helper_dev_listed(struct net_device *dev)
{
	return __dev_get_by_index(dev_net(dev), dev->ifindex) == dev;
}

/*
 * Unregisters a hook of @dev, or one of the namespace whose loopback device @dev is. Netfilter finds the hook by the
 * namespace that the device is in now, whichever that was when it was registered. Context: RTNL, which keeps it there.
 */
void nlb_helper_unhook(const struct net_device *dev, const struct nf_hook_ops *ops)
{
	ASSERT_RTNL();
	nf_unregister_net_hook(dev_net(dev), ops);
}

bool nlb_helper_dev_carrier(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/* macvlan and ipvlan look for the receiver of a unicast frame by the one MAC of each device. */
bool nlb_helper_dev_takes_unicast(const struct net_device *dev)
{
	if (netif_is_macvlan(dev)) {
		const struct macvlan_dev *vlan = netdev_priv(dev);

		return vlan->mode == MACVLAN_MODE_PASSTHRU;
	}
	return !dev->rtnl_link_ops || strcmp(dev->rtnl_link_ops->kind, "ipvlan");
}

/* A VRF is a master too, but one that leaves the frames where they are. */
bool nlb_helper_dev_is_port(struct net_device *dev)
{
	struct net_device *master = netdev_master_upper_dev_get(dev);

	return master && !netif_is_l3_master(master);
}

/* The device after @dev in the list of @net, or the first one. Context: RTNL. */
struct net_device *nlb_helper_next_device(struct net *net, struct net_device *dev)
{
	return dev ? next_net_device(dev) : first_net_device(net);
}

unsigned int nlb_helper_dev_mtu(const struct net_device *dev)
{
	return READ_ONCE(dev->mtu);
}

int nlb_helper_join4(struct net_device *dev, __be32 group)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);

	if (!in_dev)
		return -ENODEV;
	ip_mc_inc_group(in_dev, group);
	return 0;
}

void nlb_helper_leave4(struct net_device *dev, __be32 group)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);

	if (in_dev)
		ip_mc_dec_group(in_dev, group);
}

int nlb_helper_join6(struct net_device *dev, const u8 *group)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct in6_addr addr;

	memcpy(&addr, group, sizeof(addr));
	return rtnl_dereference(dev->ip6_ptr) ? ipv6_dev_mc_inc(dev, &addr) : -ENODEV;
#else
	return -ENODEV;
#endif
}

void nlb_helper_leave6(struct net_device *dev, const u8 *group)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct in6_addr addr;

	memcpy(&addr, group, sizeof(addr));
	ipv6_dev_mc_dec(dev, &addr);
#endif
}

bool nlb_helper_dev_is_vrf(const struct net_device *dev)
{
	return netif_is_l3_master(dev);
}

/* Whichever device has the address: the stack delivers by its table of local routes, that of the VRF if there is one. */
bool nlb_helper_is_local4(struct net_device *dev, __be32 addr)
{
	bool local;

	rcu_read_lock();
	local = inet_addr_type_dev_table(dev_net_rcu(dev), dev, addr) == RTN_LOCAL;
	rcu_read_unlock();
	return local;
}

bool nlb_helper_is_local6(const struct net_device *dev, const u8 *addr)
{
	bool local = false;
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet6_dev *idev;
	struct in6_addr address;

	memcpy(&address, addr, sizeof(address));
	rcu_read_lock();
	idev = __in6_dev_get(dev);
	/* The chain of addresses does not tell when a check for duplicates has passed. */
	local = idev && !READ_ONCE(idev->cnf.disable_ipv6) &&
		ipv6_chk_addr_and_flags(dev_net_rcu(dev), &address, dev, true, 0,
					IFA_F_DADFAILED);
	rcu_read_unlock();
#endif
	return local;
}

/* The nth IPv4 address of the device that is good for other hosts, in the kernel's order. */
bool nlb_helper_own4(const struct net_device *dev, unsigned int nth, __be32 *addr)
{
	const struct in_device *in_dev;
	const struct in_ifaddr *ifa;
	bool found = false;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev) {
			if (ifa->ifa_scope == RT_SCOPE_UNIVERSE && nth-- == 0) {
				*addr = ifa->ifa_local;
				found = true;
				break;
			}
		}
	}
	rcu_read_unlock();
	return found;
}

bool nlb_helper_same_net(const struct net_device *one, const struct net_device *other)
{
	bool same;

	rcu_read_lock();
	same = net_eq(dev_net_rcu(one), dev_net_rcu(other));
	rcu_read_unlock();
	return same;
}

const struct net_device *nlb_helper_ifa4_dev(const void *ifa)
{
	return ((const struct in_ifaddr *)ifa)->ifa_dev->dev;
}

const struct net_device *nlb_helper_ifa6_dev(const void *ifa)
{
	return ((const struct inet6_ifaddr *)ifa)->idev->dev;
}

/*
 * The link-local address of a device that duplicate address detection is done with: ipv6_get_lladdr(), which
 * is not exported.
 *
 * An advertisement may be on its way out under the same lock, taken for reading (ndisc_send_unsol_na()). That is no
 * deadlock behind a writer that waits: with bottom halves off, as there, a reader does not queue (qrwlock.c).
 */
bool nlb_helper_link_local(const struct net_device *dev, u8 *addr)
{
	bool found = false;
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_ifaddr *ifp;
	struct inet6_dev *idev;

	rcu_read_lock();
	idev = __in6_dev_get(dev);
	if (idev) {
		read_lock_bh(&idev->lock);
		/* The list is sorted by scope, link-local addresses are last. */
		list_for_each_entry_reverse(ifp, &idev->addr_list, if_list) {
			if (ifp->scope > IFA_LINK)
				break;
			if (ifp->scope == IFA_LINK &&
			    !(ifp->flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC))) {
				memcpy(addr, &ifp->addr, sizeof(ifp->addr));
				found = true;
				break;
			}
		}
		read_unlock_bh(&idev->lock);
	}
	rcu_read_unlock();
#endif
	return found;
}

/* As synchronize_net(), but only if no grace period has passed since the state was taken. */
void nlb_helper_wait_rcu(unsigned long state)
{
	might_sleep();
	if (rtnl_is_locked())
		cond_synchronize_rcu_expedited(state);
	else
		cond_synchronize_rcu(state);
}

void nlb_helper_bh_disable(void)
{
	local_bh_disable();
}

void nlb_helper_bh_enable(void)
{
	local_bh_enable();
}

u64 __percpu *nlb_helper_percpu_alloc(size_t words)
{
	return __alloc_percpu_gfp(words * sizeof(u64), SMP_CACHE_BYTES,
				  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

void nlb_helper_percpu_inc(u64 __percpu *counters, size_t index)
{
	this_cpu_inc(counters[index]);
}

u64 nlb_helper_percpu_sum(u64 __percpu *counters, size_t index)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(counters, cpu)[index]);
	return sum;
}

struct sk_buff *nlb_helper_genlmsg_new(size_t payload, bool atomic)
{
	return genlmsg_new(payload, atomic ? GFP_ATOMIC : GFP_KERNEL);
}

void nlb_helper_genlmsg_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

void nlb_helper_genlmsg_cancel(struct sk_buff *skb, void *header)
{
	genlmsg_cancel(skb, header);
}

int nlb_helper_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

int nlb_helper_genlmsg_multicast(const struct genl_family *family,
				 struct net *net, struct sk_buff *skb,
				 unsigned int group)
{
	return genlmsg_multicast_netns(family, net, skb, 0, group, GFP_ATOMIC);
}

bool nlb_helper_genl_has_listeners(const struct genl_family *family,
				   struct net *net, unsigned int group)
{
	return genl_has_listeners(family, net, group);
}

void nlb_helper_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

struct net *nlb_helper_genl_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

const struct genl_info *nlb_helper_genl_info_dump(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}

u32 nlb_helper_netlink_portid(const struct sk_buff *skb)
{
	return NETLINK_CB(skb).portid;
}

/* What GENL_UNS_ADMIN_PERM asks of a request. */
bool nlb_helper_netlink_admin(const struct sk_buff *skb)
{
	return netlink_net_capable(skb, CAP_NET_ADMIN);
}

/* Sets NLM_F_DUMP_INTR if what is dumped changed since the dump began. */
void nlb_helper_dump_check(struct netlink_callback *cb, void *header)
{
	genl_dump_check_consistent(cb, header);
}

void nlb_helper_work_init(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

/* On a queue for what takes long, on any CPU. */
void nlb_helper_work_queue(struct delayed_work *work, u32 ms)
{
	queue_delayed_work(system_dfl_long_wq, work, msecs_to_jiffies(ms));
}

void nlb_helper_cond_resched(void)
{
	cond_resched();
}

void nlb_helper_wipe(void *secret, size_t len)
{
	memzero_explicit(secret, len);
}

bool nlb_helper_equal(const void *a, const void *b, size_t len)
{
	return !crypto_memneq(a, b, len);
}

void nlb_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void nlb_helper_queue_work(struct work_struct *work)
{
	queue_work(system_dfl_wq, work);
}

/*
 * False if @net belongs to the initial user namespace; else who made the outermost user namespace that it is in, as the
 * initial one numbers users. A user namespace holds its parent.
 */
bool nlb_helper_net_owner(const struct net *net, u32 *owner)
{
	const struct user_namespace *ns = net->user_ns;

	if (ns == &init_user_ns)
		return false;
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	*owner = __kuid_val(ns->owner);
	return true;
}

bool nlb_helper_this_module_get(void)
{
	return try_module_get(THIS_MODULE);
}

void nlb_helper_this_module_put(void)
{
	module_put(THIS_MODULE);
}

/* The group that the present process is charged for, with a reference; that of the root for a thread of the kernel. */
struct mem_cgroup *nlb_helper_memcg_get(void)
{
	return get_mem_cgroup_from_mm(current->mm);
}

void nlb_helper_memcg_put(struct mem_cgroup *memcg)
{
	mem_cgroup_put(memcg);
}

/* Lets this task charge @memcg from now on, NULL for its own group; returns what it charged before. */
struct mem_cgroup *nlb_helper_memcg_switch(struct mem_cgroup *memcg)
{
	return set_active_memcg(memcg);
}

/* Fails where the default would make the OOM killer choose a process of the charged group. */
void *nlb_helper_kvcalloc_account(size_t count, size_t size)
{
	return kvcalloc(count, size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

/* Inline functions that do nothing in a kernel that cannot sleep. */
int nlb_helper_pm_register(struct notifier_block *block)
{
	return register_pm_notifier(block);
}

void nlb_helper_pm_unregister(struct notifier_block *block)
{
	unregister_pm_notifier(block);
}

int nlb_helper_vmfork_register(struct notifier_block *block)
{
	return register_random_vmfork_notifier(block);
}

void nlb_helper_vmfork_unregister(struct notifier_block *block)
{
	unregister_random_vmfork_notifier(block);
}

/* Whether the IP stack of a family runs on the device. Under the RTNL. */
bool nlb_helper_has_family(const struct net_device *dev, bool v6)
{
	if (!v6)
		return __in_dev_get_rtnl(dev);
#if IS_ENABLED(CONFIG_IPV6)
	return rtnl_dereference(dev->ip6_ptr);
#else
	return false;
#endif
}
