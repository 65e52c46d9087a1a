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
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/l3mdev.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/rtnetlink.h>
#include <net/request_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
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

bool nlb_helper_dev_hold(struct net_device *dev, netdevice_tracker *tracker)
{
	if (dev->reg_state != NETREG_REGISTERED)
		return false;
	netdev_hold(dev, tracker, GFP_KERNEL);
	return true;
}

void nlb_helper_dev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_put(dev, tracker);
}

struct net *nlb_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
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

bool nlb_helper_has4(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in_dev;
	const struct in_ifaddr *ifa;
	bool found = false;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev) {
			if (ifa->ifa_local == addr) {
				found = true;
				break;
			}
		}
	}
	rcu_read_unlock();
	return found;
}

bool nlb_helper_has6(const struct net_device *dev, const u8 *addr)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct in6_addr address;

	memcpy(&address, addr, sizeof(address));
	/* The chain of addresses does not tell when a check for duplicates has passed. */
	return ipv6_chk_addr_and_flags(dev_net(dev), &address, dev, false, 1,
				       IFA_F_DADFAILED);
#else
	return false;
#endif
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

/* Sets NLM_F_DUMP_INTR if what is dumped changed since the dump began. */
void nlb_helper_dump_check(struct netlink_callback *cb, void *header)
{
	genl_dump_check_consistent(cb, header);
}

/*
 * A socket's state as a bit (1 << TCP_...), 0 for no socket; gives the reference back. For a half-open one also the
 * number that acknowledges its SYN-ACK.
 */
static u32 nlb_state_of(struct sock *sk, u32 *awaited)
{
	u32 state;

	if (!sk)
		return 0;
	state = READ_ONCE(sk->sk_state);
	if (state == TCP_NEW_SYN_RECV)
		*awaited = tcp_rsk(inet_reqsk(sk))->snt_isn + 1;
	sock_gen_put(sk);
	return BIT(state);
}

/* What the stack will take a packet from @dev to come from: a VRF takes its ports' packets over. */
static int nlb_dif(const struct net_device *dev, int *sdif)
{
	int vrf = l3mdev_master_ifindex_rcu(dev);

	*sdif = vrf ? dev->ifindex : 0;
	return vrf ?: dev->ifindex;
}

/*
 * The state of the TCP socket with this 4-tuple that packets from @dev would reach. TIME_WAIT and half-open sockets
 * are found as well. Context: RCU read side.
 */
u32 nlb_helper_tcp4_state(const struct net_device *dev, __be32 saddr, __be16 sport,
			  __be32 daddr, u16 dport, u32 *awaited)
{
	int sdif, dif = nlb_dif(dev, &sdif);

	return nlb_state_of(__inet_lookup_established(dev_net(dev), saddr, sport, daddr,
						      dport, dif, sdif), awaited);
}

u32 nlb_helper_tcp6_state(const struct net_device *dev, const u8 *saddr, __be16 sport,
			  const u8 *daddr, u16 dport, u32 *awaited)
{
#if IS_ENABLED(CONFIG_IPV6)
	int sdif, dif = nlb_dif(dev, &sdif);
	struct in6_addr from, to;

	memcpy(&from, saddr, sizeof(from));
	memcpy(&to, daddr, sizeof(to));
	return nlb_state_of(__inet6_lookup_established(dev_net(dev), &from, sport, &to,
						       dport, dif, sdif), awaited);
#else
	return 0;
#endif
}

static void nlb_show_socket(const struct sock *sk, nlb_tcp_found found, void *context)
{
	u16 client_port = be16_to_cpu(sk->sk_dport);

#if IS_ENABLED(CONFIG_IPV6)
	/* A listener for both families has IPv4 connections as mapped ones. */
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr)) {
		found(context, true, &sk->sk_v6_daddr, client_port, &sk->sk_v6_rcv_saddr,
		      sk->sk_num);
		return;
	}
#endif
	found(context, false, &sk->sk_daddr, client_port, &sk->sk_rcv_saddr, sk->sk_num);
}

/*
 * Shows TCP connections of @net from chain @from of the table on, established, in TIME_WAIT and half-open ones, until
 * the budget is spent: a unit for each chain, eight for each connection. Returns the next chain; 0: that was all.
 *
 * Each chain is locked while it is looked at: a half-open connection that becomes an established one, or that one when
 * it goes to TIME_WAIT, changes its entry there, and without the lock the old one could be missed as well as the new.
 * @found is called with BH off and must be short. Context: process, without locks.
 */
u32 nlb_helper_tcp_walk(const struct net *net, u32 from, u32 budget, nlb_tcp_found found,
			void *context)
{
	struct inet_hashinfo *info = net->ipv4.tcp_death_row.hashinfo;
	const struct hlist_nulls_node *node;
	struct sock *sk;
	u32 spent;

	for (spent = 0; from <= info->ehash_mask; from++, spent++) {
		struct inet_ehash_bucket *head = &info->ehash[from];
		spinlock_t *lock;

		if (spent >= budget)
			return from;
		if (hlist_nulls_empty(&head->chain))
			continue;
		lock = inet_ehash_lockp(info, from);
		spin_lock_bh(lock);
		sk_nulls_for_each(sk, node, &head->chain) {
			/* The table may be one for all namespaces. */
			if (net_eq(sock_net(sk), net))
				nlb_show_socket(sk, found, context);
			spent += 8;
		}
		spin_unlock_bh(lock);
	}
	return 0;
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

/* Whether a listener has answered by SYN cookies lately, so that an ACK may carry one: as cookie_tcp_check() asks. */
static bool nlb_awaits_cookies(const struct sock *sk)
{
	return sk && READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_syncookies) &&
	       !tcp_synq_no_recent_overflow(sk);
}

/*
 * Whether an ACK with these numbers carries a SYN cookie of this host for a listener that packets from @dev would
 * reach. Context: RCU read side.
 */
bool nlb_helper_tcp4_cookie(const struct net_device *dev, __be32 saddr, __be16 sport,
			    __be32 daddr, u16 dport, u32 seq, u32 ack)
{
	const struct tcphdr th = {
		.source = sport,
		.dest = htons(dport),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
	};
	const struct iphdr iph = { .saddr = saddr, .daddr = daddr };
	int sdif, dif = nlb_dif(dev, &sdif);

	return nlb_awaits_cookies(__inet_lookup_listener(dev_net(dev), NULL, 0, saddr, sport,
							 daddr, dport, dif, sdif)) &&
	       __cookie_v4_check(&iph, &th);
}

bool nlb_helper_tcp6_cookie(const struct net_device *dev, const u8 *saddr, __be16 sport,
			    const u8 *daddr, u16 dport, u32 seq, u32 ack)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct tcphdr th = {
		.source = sport,
		.dest = htons(dport),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
	};
	int sdif, dif = nlb_dif(dev, &sdif);
	struct ipv6hdr iph = {};

	memcpy(&iph.saddr, saddr, sizeof(iph.saddr));
	memcpy(&iph.daddr, daddr, sizeof(iph.daddr));
	return nlb_awaits_cookies(inet6_lookup_listener(dev_net(dev), NULL, 0, &iph.saddr, sport,
							&iph.daddr, dport, dif, sdif)) &&
	       __cookie_v6_check(&iph, &th);
#else
	return false;
#endif
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

bool nlb_helper_module_is(const void *module, const char *name)
{
	return !strcmp(((const struct module *)module)->name, name);
}

/*
 * The module with this name, which the caller keeps from going; NULL if that is part of the kernel itself. False if
 * there is none. find_module() is not exported: the modules' directory in sysfs, which is that of this module, has
 * them all.
 */
bool nlb_helper_module_named(const char *name, void **module)
{
	struct kset *modules = THIS_MODULE->mkobj.kobj.kset;
	struct kobject *kobj = modules ? kset_find_obj(modules, name) : NULL;

	if (!kobj)
		return false;
	*module = container_of(kobj, struct module_kobject, kobj)->mod;
	kobject_put(kobj);
	return true;
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/*
 * Whether a connection lives, and this host translates its addresses: without that it is a socket's, and the socket
 * knows better. A closed connection stays in the table for minutes; its client may have begun another one elsewhere.
 */
static unsigned int nlb_ct_state(const struct nf_conn *ct, enum ip_conntrack_dir dir, u32 *awaited)
{
	if (!(READ_ONCE(ct->status) & IPS_NAT_MASK) || nf_ct_is_dying(ct) || nf_ct_is_expired(ct))
		return NLB_CT_NONE;
	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return NLB_CT_ESTABLISHED;
	switch (READ_ONCE(ct->proto.tcp.state)) {
	case TCP_CONNTRACK_SYN_SENT:
		/* A SYN of this side waits for its SYN-ACK; one of the other side for nothing but itself. */
		return dir == IP_CT_DIR_REPLY ? NLB_CT_ESTABLISHED : NLB_CT_NONE;
	case TCP_CONNTRACK_SYN_RECV:
		if (dir == IP_CT_DIR_REPLY)
			return NLB_CT_ESTABLISHED;
		*awaited = READ_ONCE(ct->proto.tcp.seen[IP_CT_DIR_REPLY].td_end);
		return NLB_CT_HALF_OPEN;
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
		return NLB_CT_ESTABLISHED;
	default:
		return NLB_CT_NONE;
	}
}
#endif

/*
 * What connection tracking knows of the flow of a packet that came from @dev, asked by its function @find, which is
 * one of the module @owner (NULL: of the kernel). Context: RCU read side.
 *
 * The module is not held, so that it may go. It is marked as going before its exit runs, and that waits for all RCU
 * read sides before it frees a thing (nf_conntrack_cleanup_net_list()): who sees it alive here may use it until the
 * read side ends.
 */
unsigned int nlb_helper_ct_lookup(void *find, const void *owner, const struct net_device *dev,
				 bool v6, u8 protocol, const u8 *saddr, __be16 sport,
				 const u8 *daddr, __be16 dport, u32 *awaited)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	typeof(nf_conntrack_find_get) *find_get = find;
	/* As nf_ct_zone_dflt, which is the other module's. */
	const struct nf_conntrack_zone zone = {
		.id = NF_CT_DEFAULT_ZONE_ID,
		.dir = NF_CT_DEFAULT_ZONE_DIR,
	};
	struct nf_conntrack_tuple tuple = {};
	struct nf_conntrack_tuple_hash *found;
	size_t len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	unsigned int state;
	struct nf_conn *ct;

	if (owner && READ_ONCE(((const struct module *)owner)->state) != MODULE_STATE_LIVE)
		return NLB_CT_NONE;
	memcpy(&tuple.src.u3, saddr, len);
	memcpy(&tuple.dst.u3, daddr, len);
	tuple.src.u.all = sport;
	tuple.dst.u.all = dport;
	tuple.src.l3num = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	tuple.dst.protonum = protocol;
	found = find_get(dev_net(dev), &zone, &tuple);
	if (!found)
		return NLB_CT_NONE;
	ct = nf_ct_tuplehash_to_ctrack(found);
	state = nlb_ct_state(ct, NF_CT_DIRECTION(found), awaited);
	/* The one that does not need the other module. */
	nf_conntrack_put(&ct->ct_general);
	return state;
#else
	return NLB_CT_NONE;
#endif
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
struct nlb_ct_walk {
	nlb_tcp_found found;
	void *context;
};

static void nlb_show_tuple(const struct nf_conntrack_tuple *tuple, const struct nlb_ct_walk *walk)
{
	walk->found(walk->context, tuple->src.l3num == NFPROTO_IPV6, &tuple->src.u3,
		    be16_to_cpu(tuple->src.u.tcp.port), &tuple->dst.u3,
		    be16_to_cpu(tuple->dst.u.tcp.port));
}

/* As packets from the other end have it: of a connection that was made to here the one, of one from here the other. */
static int nlb_show_ct(struct nf_conn *ct, void *data)
{
	unsigned long status = READ_ONCE(ct->status);
	u32 awaited;

	if (nf_ct_protonum(ct) != IPPROTO_TCP ||
	    nlb_ct_state(ct, IP_CT_DIR_REPLY, &awaited) == NLB_CT_NONE)
		return 0;
	if (status & IPS_DST_NAT)
		nlb_show_tuple(nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), data);
	if (status & IPS_SRC_NAT)
		nlb_show_tuple(nf_ct_tuple(ct, IP_CT_DIR_REPLY), data);
	/* It stays. */
	return 0;
}
#endif

/*
 * Shows the TCP connections of @net whose addresses this host translates, if connection tracking is loaded; its module
 * cannot go meanwhile. @found is called with BH off and must be short. Context: process, without locks.
 */
void nlb_helper_ct_walk(struct net *net, nlb_tcp_found found, void *context)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	struct nlb_ct_walk walk = { .found = found, .context = context };
	const struct nf_ct_iter_data data = { .net = net, .data = &walk };
	typeof(nf_ct_iterate_cleanup_net) *iterate = __symbol_get("nf_ct_iterate_cleanup_net");

	if (!iterate)
		return;
	iterate(nlb_show_ct, &data);
	__symbol_put("nf_ct_iterate_cleanup_net");
#endif
}
